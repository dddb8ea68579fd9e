package stream_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"

	"github.com/freshet-io/freshet/scalers"
	_ "github.com/freshet-io/freshet/scalers/identity/aws"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// issuer gives out tokens, which nobody signs, of a user.
type issuer struct {
	*httptest.Server
	// life is how long a token is good; scope is that of the last request.
	life    atomic.Int64
	fetched atomic.Int32
	scope   atomic.Value
}

func newIssuer(t testing.TB, user string) *issuer {
	t.Helper()
	i := &issuer{}
	i.life.Store(int64(time.Hour))
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, ok := r.BasicAuth()
		if r.ParseForm() != nil || !ok || id != user || secret != "client-secret" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		i.fetched.Add(1)
		i.scope.Store(r.Form.Get("scope"))
		life := time.Duration(i.life.Load())
		now := time.Now()
		claims, _ := json.Marshal(map[string]any{"sub": user, "iat": now.Add(-time.Hour).Unix(), "exp": now.Add(life).Unix(), "scope": r.Form.Get("scope")})
		token := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims) + "."
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
	}))
	t.Cleanup(i.Close)
	return i
}

func TestKafkaOAuth(t *testing.T) {
	t.Parallel()
	c := shared(t)
	topic := c.topic(t, 5)
	group := unique(t, "group")
	c.allow(t, "client", kafka.ResourceTypeTopic, topic)
	c.allow(t, "client", kafka.ResourceTypeGroup, group)
	i := newIssuer(t, "client")
	trigger := func(auth m) *scalers.Scaler {
		all := m{"username": "client", "password": "client-secret", "oauthTokenEndpointUri": i.URL + "/token", "scopes": "kafka, lag"}
		for k, v := range auth {
			all[k] = v
		}
		return lagOf(t, "kafka", c.Addr(servers.KafkaOAuth), group, m{"topic": topic, "sasl": "oauthbearer"}, all)
	}
	s := trigger(m{"oauthExtensions": "logicalCluster=lkc-1,identityPoolId=pool-2"})
	conn := scalertest.Open(t, s)
	for range 2 {
		out, err := read(t, conn, s)
		if err != nil {
			t.Fatal(err)
		}
		wantValue(t, "a token", out[0], 1, 1)
		time.Sleep(sessions) // the session ends, the token does not
	}
	if n := i.fetched.Load(); n != 1 {
		t.Errorf("a token that is good was fetched %d times", n)
	}
	if scope := i.scope.Load(); scope != "kafka lag" {
		t.Errorf("the scope asked for is %q", scope)
	}
	_, err := readOne(t, trigger(m{"password": "another-secret"}))
	wantError(t, "wrong secret", err, scalers.Authentication, "check parameters username and password")
	_, err = readOne(t, trigger(m{"oauthTokenEndpointUri": strings.Replace(i.URL, "http:", "https:", 1)}))
	wantError(t, "an endpoint that is none", err, scalers.Unavailable, "fetching an access token")

	i.life.Store(int64(-time.Minute))
	i.fetched.Store(0)
	expired := trigger(nil)
	conn = scalertest.Open(t, expired)
	for range 2 { // a token that was refused is not used again
		_, err = read(t, conn, expired)
		wantError(t, "a token of yesterday", err, scalers.Authentication, "refused")
	}
	if n := i.fetched.Load(); n != 2 {
		t.Errorf("tokens were fetched %d times, want 2", n)
	}
}

// TestKafkaMSK signs in to an imitation of Amazon MSK by keys, and as Freshet's
// own pod.
func TestKafkaMSK(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA1")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "aws-secret")
	t.Setenv("AWS_SESSION_TOKEN", "aws-token")
	ca, err := servers.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue("broker")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair([]byte(pair.Cert), []byte(pair.Key))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mechanism string
	var said map[string]string
	broker := newScriptAt(t, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}}), nil)
	a := orders(broker)
	a["SaslHandshake"], a["SaslAuthenticate"] = &saslhandshake.Response{}, &saslauthenticate.Response{}
	broker.set(func(r protocol.Message, frame func(protocol.Message) []byte) []byte {
		switch r := r.(type) {
		case *saslhandshake.Request:
			mechanism = r.Mechanism
		case *saslauthenticate.Request:
			said = nil
			if err := json.Unmarshal(r.AuthBytes, &said); err != nil {
				t.Error(err)
			}
		}
		return a.play(r, frame)
	})
	keys := m{"awsAccessKeyId": "AKIA1", "awsSecretAccessKey": "aws-secret", "awsSessionToken": "aws-token"}
	for name, tc := range map[string]struct {
		metadata, auth m
		identity       scalers.Identity
	}{
		"sasl":           {m{"sasl": "aws_msk_iam"}, keys, scalers.Identity{}},
		"token provider": {m{"sasl": "oauthbearer", "saslTokenProvider": "aws_msk_iam"}, keys, scalers.Identity{}},
		"own pod":        {m{"sasl": "aws_msk_iam"}, nil, scalers.Identity{Provider: "aws"}},
		"operator":       {m{"sasl": "aws_msk_iam", "identityOwner": "operator"}, nil, scalers.Identity{}},
	} {
		metadata := with(tc.metadata, m{
			"bootstrapServers": broker.addr, "consumerGroup": "billing", "topic": "orders", "tls": "enable", "awsRegion": "eu-west-1",
		})
		s, _, err := scalers.Decode("kafka", param.Input{Metadata: metadata, Auth: with(tc.auth, m{"ca": ca.PEM})}, scalers.Setting{Identity: tc.identity})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v, err := readOne(t, s)
		wantValue(t, name, scalers.Result{Value: v, Err: err}, 6, 6)
		broker.mu.Lock()
		credential := strings.Split(said["x-amz-credential"], "/")
		if mechanism != "AWS_MSK_IAM" || said["host"] != "127.0.0.1" || credential[0] != "AKIA1" || credential[2] != "eu-west-1" ||
			said["x-amz-security-token"] != "aws-token" || len(said["x-amz-signature"]) != 64 {
			t.Errorf("%s: the broker is told %v by %s", name, said, mechanism)
		}
		broker.mu.Unlock()
	}
}
