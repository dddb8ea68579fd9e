package stream_test

import (
	"errors"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// allow gives a user of the shared cluster the right to describe something, and
// returns when the broker honours it: the controller answers before that.
func (c *cluster) allow(t testing.TB, user string, kind kafka.ResourceType, name string) {
	t.Helper()
	r, err := c.admin.CreateACLs(t.Context(), &kafka.CreateACLsRequest{ACLs: []kafka.ACLEntry{{
		ResourceType: kind, ResourceName: name, ResourcePatternType: kafka.PatternTypeLiteral,
		Principal: "User:" + user, Host: "*", Operation: kafka.ACLOperationTypeDescribe, PermissionType: kafka.ACLPermissionTypeAllow,
	}}})
	if err == nil && len(r.Errors) > 0 {
		err = r.Errors[0]
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "waiting for the broker to honour the right", func() error {
		known, err := c.admin.DescribeACLs(t.Context(), &kafka.DescribeACLsRequest{Filter: kafka.ACLFilter{
			ResourceTypeFilter: kind, ResourceNameFilter: name, ResourcePatternTypeFilter: kafka.PatternTypeLiteral,
			PrincipalFilter: "User:" + user, Operation: kafka.ACLOperationTypeDescribe, PermissionType: kafka.ACLPermissionTypeAllow,
		}})
		switch {
		case err != nil:
			return err
		case known.Error != nil:
			return known.Error
		case len(known.Resources) == 0:
			return errors.New("it does not know of it")
		}
		return nil
	})
}

// signIn are the parameters that sign in as the user.
func signIn(mode, user string) (metadata, auth m) {
	return m{"sasl": mode}, m{"username": user, "password": users[user]}
}

func TestKafkaSignsIn(t *testing.T) {
	t.Parallel()
	c := shared(t)
	topic := c.topic(t, 5)
	group := unique(t, "group")
	c.commit(t, group, topic, 2)
	c.allow(t, "reader", kafka.ResourceTypeTopic, topic)
	c.allow(t, "reader", kafka.ResourceTypeGroup, group)
	for _, mode := range []string{"plaintext", "scram_sha256", "scram_sha512"} {
		for _, listener := range []servers.KafkaListener{servers.KafkaSASL, servers.KafkaSASLTLS} {
			metadata, auth := signIn(mode, "reader")
			metadata["topic"] = topic
			if listener == servers.KafkaSASLTLS {
				metadata["tls"], auth["ca"] = "enable", c.ca.PEM
			}
			v, err := readOne(t, lagOf(t, "kafka", c.Addr(listener), group, metadata, auth))
			wantValue(t, mode+" at "+string(listener), scalers.Result{Value: v, Err: err}, 3, 3)

			auth["password"] = "not-the-secret"
			_, err = readOne(t, lagOf(t, "kafka", c.Addr(listener), group, metadata, auth))
			wantError(t, "wrong password by "+mode, err, scalers.Authentication, "check parameters sasl, username and password")
			auth["username"] = "nobody"
			_, err = readOne(t, lagOf(t, "kafka", c.Addr(listener), group, metadata, auth))
			wantError(t, "unknown user by "+mode, err, scalers.Authentication, "check parameters sasl, username and password")
		}
	}
}

// TestKafkaSessionEnds reads on while the broker ends the session again and again.
func TestKafkaSessionEnds(t *testing.T) {
	t.Parallel()
	c := shared(t)
	topic := c.topic(t, 5)
	group := unique(t, "group")
	c.allow(t, "reader", kafka.ResourceTypeTopic, topic)
	c.allow(t, "reader", kafka.ResourceTypeGroup, group)
	metadata, auth := signIn("scram_sha256", "reader")
	metadata["topic"] = topic
	s := lagOf(t, "kafka", c.Addr(servers.KafkaSASL), group, metadata, auth)
	conn := scalertest.Open(t, s)
	for began := time.Now(); time.Since(began) < 5*sessions/2; time.Sleep(sessions / 5) {
		out, err := read(t, conn, s)
		if err != nil {
			t.Fatal(err)
		}
		wantValue(t, "a read", out[0], 1, 1)
	}
}

func TestKafkaMissingRights(t *testing.T) {
	t.Parallel()
	c := shared(t)
	topic := c.topic(t, 5)
	group := unique(t, "group")
	c.commit(t, group, topic, 2)
	metadata, auth := signIn("plaintext", "stranger")
	metadata["topic"] = topic
	s := lagOf(t, "kafka", c.Addr(servers.KafkaSASL), group, metadata, auth)
	_, err := readOne(t, s)
	wantError(t, "no right", err, scalers.Authentication, "give it the right Describe on the topic")
	c.allow(t, "stranger", kafka.ResourceTypeTopic, topic)
	_, err = readOne(t, s)
	wantError(t, "no right to the group", err, scalers.Authentication, "give it the right Describe on the group")
	delete(metadata, "topic")
	_, err = readOne(t, lagOf(t, "kafka", c.Addr(servers.KafkaSASL), group, metadata, auth))
	wantError(t, "no right to the group, all topics", err, scalers.Authentication, "give it the right Describe on the group")
	c.allow(t, "stranger", kafka.ResourceTypeGroup, group)
	v, err := readOne(t, s)
	wantValue(t, "both rights", scalers.Result{Value: v, Err: err}, 3, 3)
}

func TestKafkaClientCertificate(t *testing.T) {
	t.Parallel()
	c := shared(t)
	topic := c.topic(t, 5)
	group := unique(t, "group")
	c.allow(t, "CN=worker", kafka.ResourceTypeTopic, topic)
	c.allow(t, "CN=worker", kafka.ResourceTypeGroup, group)
	pair, err := c.ca.Issue("worker")
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := pair.EncryptedKey("key-secret")
	if err != nil {
		t.Fatal(err)
	}
	other, err := servers.NewAuthority("other")
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Issue("worker")
	if err != nil {
		t.Fatal(err)
	}
	plain, sasl, withTLS := c.Addr(servers.KafkaPlain), c.Addr(servers.KafkaSASL), c.Addr(servers.KafkaTLS)
	for name, tc := range map[string]struct {
		address        string
		metadata, auth m
		class          scalers.Class
		part           string
	}{
		"good":                      {withTLS, m{"tls": "enable"}, m{"ca": c.ca.PEM, "cert": pair.Cert, "key": pair.Key}, 0, ""},
		"tls in the authentication": {withTLS, nil, m{"tls": "enable", "ca": c.ca.PEM, "cert": pair.Cert, "key": pair.Key}, 0, ""},
		"encrypted key":             {withTLS, m{"tls": "enable"}, m{"ca": c.ca.PEM, "cert": pair.Cert, "key": encrypted, "keyPassword": "key-secret"}, 0, ""},
		"unsafe":                    {withTLS, m{"tls": "enable", "unsafeSsl": "true"}, m{"cert": pair.Cert, "key": pair.Key}, 0, ""},
		"no certificate":            {withTLS, m{"tls": "enable"}, m{"ca": c.ca.PEM}, scalers.Authentication, "check parameters cert and key"},
		"foreign client":            {withTLS, m{"tls": "enable"}, m{"ca": c.ca.PEM, "cert": foreign.Cert, "key": foreign.Key}, scalers.Authentication, "check parameters cert and key"},
		"unknown server":            {withTLS, m{"tls": "enable"}, m{"ca": other.PEM, "cert": pair.Cert, "key": pair.Key}, scalers.Configuration, "check parameter ca"},
		"no TLS":                    {withTLS, nil, nil, scalers.Configuration, "set parameter tls to enable"},
		"TLS where none is":         {plain, m{"tls": "enable"}, m{"ca": c.ca.PEM}, scalers.Unavailable, "as ports without TLS do"},
		"SASL where none is":        {plain, m{"sasl": "plaintext"}, m{"username": "reader", "password": users["reader"]}, scalers.Configuration, "set parameter sasl to none"},
		"no SASL":                   {sasl, nil, nil, scalers.Unavailable, "check parameters tls and sasl"},
		"another mechanism":         {c.Addr(servers.KafkaOAuth), m{"sasl": "plaintext"}, m{"username": "reader", "password": users["reader"]}, scalers.Configuration, "set parameter sasl to what it has (OAUTHBEARER)"},
	} {
		metadata := m{"topic": topic}
		for k, v := range tc.metadata {
			metadata[k] = v
		}
		v, err := readOne(t, lagOf(t, "kafka", tc.address, group, metadata, tc.auth))
		if tc.part == "" {
			wantValue(t, name, scalers.Result{Value: v, Err: err}, 1, 1)
		} else {
			wantError(t, name, err, tc.class, tc.part)
		}
	}
}
