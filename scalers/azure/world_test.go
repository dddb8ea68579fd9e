package azure_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/azure"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

type m = map[string]string

// The account's host name where the server is asked for it by name, as in Azure.
const (
	testSuffix = "queue.localhost"
	testHost   = servers.AzuriteAccount + "." + testSuffix
)

// authority signs the servers of this package's tests, which trust nobody else.
var authority *servers.Authority

// TestMain makes what a process has once: the authorities that it trusts, its
// proxy, and how it signs in.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "azure")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if authority, err = servers.NewAuthority("test"); err != nil {
			panic(err)
		}
		file := filepath.Join(dir, "ca.crt")
		if err := os.WriteFile(file, []byte(authority.PEM), 0o600); err != nil {
			panic(err)
		}
		proxy, stop := startProxy()
		defer stop()
		for name, value := range map[string]string{
			"SSL_CERT_FILE": file, "SSL_CERT_DIR": dir, "HTTPS_PROXY": proxy, "NO_PROXY": "",
			"AZURE_CLIENT_ID": "", "AZURE_TENANT_ID": "", "AZURE_FEDERATED_TOKEN_FILE": "",
		} {
			if os.Unsetenv(name); value != "" {
				_ = os.Setenv(name, value)
			}
		}
		azure.SetCredentials(fakeCredential)
		return m.Run()
	}())
}

// startProxy is a proxy that takes every host for this one, as the name service
// of a cluster might.
func startProxy() (address string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, port, _ := net.SplitHostPort(r.Host)
		to, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		from, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = from.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		go func() { _, _ = io.Copy(to, buffered); _ = to.Close() }()
		go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
	})}
	go func() { _ = server.Serve(l) }()
	return "http://" + l.Addr().String(), func() { _ = server.Close() }
}

// fakeCredential signs in as the identity's ID says.
func fakeCredential(id scalers.Identity) (azcore.TokenCredential, error) {
	return credential(id.ID), nil
}

type credential string

// GetToken returns an access token as Entra ID issues it, but for its signature.
func (c credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if got := strings.Join(o.Scopes, " "); got != "https://storage.azure.com/.default" {
		return azcore.AccessToken{}, errors.New("the scope is " + got)
	}
	now := time.Now()
	claims := map[string]any{
		"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
		"iat": now.Add(-time.Minute).Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	switch c {
	case "good":
	case "expired":
		claims["exp"] = now.Add(-time.Second).Unix()
	case "of another service":
		claims["aud"] = "https://vault.azure.net"
	case "slow":
		<-ctx.Done()
		return azcore.AccessToken{}, fmt.Errorf("WorkloadIdentityCredential: %w", ctx.Err())
	default:
		return azcore.AccessToken{}, errors.New("words of the authority\nand more of them")
	}
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	token := part(m{"alg": "RS256", "typ": "JWT"}) + "." + part(claims) + "." + base64.RawURLEncoding.EncodeToString([]byte("signature"))
	return azcore.AccessToken{Token: token, ExpiresOn: now.Add(time.Hour)}, nil
}

// decode makes a trigger of the queue; "" takes a key away.
func decode(queue, connection string, metadata m, id scalers.Identity) (*scalers.Scaler, error) {
	all := m{"queueName": queue}
	maps.Copy(all, metadata)
	maps.DeleteFunc(all, func(_, v string) bool { return v == "" })
	s, _, err := scalers.Decode("azure-queue", param.Input{Metadata: all, Auth: m{"connection": connection}}, scalers.Setting{Identity: id})
	return s, err
}

// trigger is a trigger of the queue with a connection string.
func trigger(t testing.TB, queue, connection string, metadata m) *scalers.Scaler {
	t.Helper()
	s, err := decode(queue, connection, metadata, scalers.Identity{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read reads scalers of one source in one call, within a deadline that no
// healthy server needs, and gives each the error that concerns all.
func read(t testing.TB, conn scalers.Conn, batch ...*scalers.Scaler) []scalers.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return readWithin(ctx, conn, batch...)
}

func readWithin(ctx context.Context, conn scalers.Conn, batch ...*scalers.Scaler) []scalers.Result {
	out := make([]scalers.Result, len(batch))
	if err := scalers.Read(ctx, conn, batch, out); err != nil {
		for i := range out {
			out[i] = scalers.Result{Err: err}
		}
	}
	return out
}

// outcomes are the numbers that were read, or the classes of their errors.
func outcomes(results []scalers.Result) []string {
	texts := make([]string, len(results))
	for i, r := range results {
		switch {
		case r.Err != nil:
			texts[i] = scalers.ClassOf(r.Err).String()
		case r.Value.Metric != r.Value.Activity:
			texts[i] = fmt.Sprintf("%v and activity %v", r.Value.Metric, r.Value.Activity)
		default:
			texts[i] = fmt.Sprint(r.Value.Metric)
		}
	}
	return texts
}

// fill makes the queue, if need be, and puts messages into it.
func fill(t testing.TB, server *servers.Azurite, queue string, messages int) {
	t.Helper()
	if err := fillQueue(t.Context(), server, queue, messages); err != nil {
		t.Fatal(err)
	}
}

func fillQueue(ctx context.Context, server *servers.Azurite, queue string, messages int) error {
	client, err := azqueue.NewQueueClientFromConnectionString(server.ConnectionString(), queue, nil)
	if err != nil {
		return fmt.Errorf("making the client: %w", err)
	}
	if _, err := client.Create(ctx, nil); err != nil {
		return fmt.Errorf("making queue %s: %w", queue, err)
	}
	for i := range messages {
		if _, err := client.EnqueueMessage(ctx, fmt.Sprint("message ", i), nil); err != nil {
			return fmt.Errorf("filling queue %s: %w", queue, err)
		}
	}
	return nil
}

// take makes messages at the head of the queue invisible.
func take(t testing.TB, server *servers.Azurite, queue string, messages int32) {
	t.Helper()
	client, err := azqueue.NewQueueClientFromConnectionString(server.ConnectionString(), queue, nil)
	if err != nil {
		t.Fatal(err)
	}
	invisible := int32(600)
	answer, err := client.DequeueMessages(t.Context(), &azqueue.DequeueMessagesOptions{NumberOfMessages: &messages, VisibilityTimeout: &invisible})
	if err != nil || len(answer.Messages) != int(messages) {
		t.Fatalf("took %d messages, %v", len(answer.Messages), err)
	}
}

// startTLS starts a server that speaks TLS by the name that it has in Azure.
func startTLS(t testing.TB) *servers.Azurite {
	t.Helper()
	files, err := authority.WriteServer(t.TempDir(), testHost)
	if err != nil {
		t.Fatal(err)
	}
	return scalertest.Azurite(t, servers.AzuriteOptions{TLS: files, OAuth: true})
}
