package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

const sentinel = "S3NT1N3L"

// TestMain gives Freshet's pod an access key, and no machine of AWS.
func TestMain(m *testing.M) {
	for key, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "own " + sentinel, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_REGION": "eu-west-1", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		_ = os.Setenv(key, value)
	}
	os.Exit(m.Run())
}

func caller(t *testing.T, c sdk.Config) string {
	t.Helper()
	got, err := sts.NewFromConfig(c).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return *got.Arn
}

// TestIdentities asks an imitation of STS who is asking.
func TestIdentities(t *testing.T) {
	server := scalertest.AWS(t)
	at := func(id scalers.Identity, keys Keys) sdk.Config {
		t.Helper()
		c, err := Config(t.Context(), id, "", keys)
		if err != nil {
			t.Fatal(err)
		}
		c.BaseEndpoint = sdk.String(server.URL())
		return c
	}
	if got := caller(t, at(scalers.Identity{Provider: "aws"}, Keys{})); !strings.HasSuffix(got, ":user/moto") {
		t.Errorf("Freshet's own identity is %s", got)
	}
	for _, id := range []scalers.Identity{
		{Provider: "aws", RoleARN: "arn:aws:iam::123456789012:role/worker"},
		{Provider: "aws", RoleARN: "arn:aws:iam::123456789012:role/worker", ExternalID: "x"},
	} {
		c := at(scalers.Identity{}, Keys{})
		c.Credentials = newRole(c, id)
		if got := caller(t, c); got != "arn:aws:sts::123456789012:assumed-role/worker/freshet" {
			t.Errorf("the role is %s", got)
		}
	}
}

func TestConfig(t *testing.T) {
	keys := Keys{ID: "AKIA", Secret: param.NewSecret(sentinel), Session: param.NewSecret("session")}
	c, err := Config(t.Context(), scalers.Identity{Provider: "aws", RoleARN: "arn"}, "us-east-2", keys)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Credentials.Retrieve(t.Context())
	if err != nil || c.Region != "us-east-2" || got.AccessKeyID != "AKIA" || got.SecretAccessKey != sentinel || got.SessionToken != "session" {
		t.Errorf("got %+v in %s, %v", got.AccessKeyID, c.Region, err)
	}
	c, err = Config(t.Context(), scalers.Identity{}, "", Keys{})
	if err != nil || c.Region != "eu-west-1" {
		t.Errorf("the region is %q, %v", c.Region, err)
	}
	for _, half := range []Keys{{ID: "AKIA"}, {Secret: param.NewSecret(sentinel)}} {
		if _, err := Config(t.Context(), scalers.Identity{}, "", half); scalers.ClassOf(err) != scalers.Configuration || err == nil {
			t.Errorf("half a key: %v", err)
		}
	}
	role := scalers.Identity{Provider: "aws", RoleARN: "arn:1"}
	one, _ := Config(t.Context(), role, "", Keys{})
	same, _ := Config(t.Context(), role, "", Keys{})
	role.ExternalID = "x"
	other, _ := Config(t.Context(), role, "", Keys{})
	if one.Credentials != same.Credentials || one.Credentials == other.Credentials {
		t.Error("credentials are not kept by identity")
	}
	if n := one.Retryer().MaxAttempts(); n != 1 {
		t.Errorf("clients try %d times", n)
	}
}

// tokens is an STS that grants by the actions that it is told, and notes those
// that it was asked for.
type tokens struct {
	mu      sync.Mutex
	granted map[string]bool
	asked   []url.Values
}

func (s *tokens) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = r.ParseForm()
	s.asked = append(s.asked, r.PostForm)
	action := r.PostForm.Get("Action")
	if !s.granted[action] {
		rw.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(rw, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized
			to perform `+action+`</Message></Error></ErrorResponse>`)
		return
	}
	_, _ = fmt.Fprintf(rw, `<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>ASIA%[1]s</AccessKeyId><SecretAccessKey>%[2]s</SecretAccessKey>
		<SessionToken>%[2]s</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
		action, sentinel, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// TestRole: the token of Freshet's pod comes first, and the role of Freshet
// second. What was fetched is kept.
func TestRole(t *testing.T) {
	file := t.TempDir() + "/token"
	if err := os.WriteFile(file, []byte("web "+sentinel), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		web, assume bool
		external    string
		want        string
		asked       string
	}{
		"by the token":    {true, true, "", "ASIAAssumeRoleWithWebIdentity", "AssumeRoleWithWebIdentity"},
		"by the role":     {false, true, "", "ASIAAssumeRole", "AssumeRoleWithWebIdentity AssumeRole"},
		"with an id":      {true, true, "ours", "ASIAAssumeRole", "AssumeRole"},
		"by none of them": {false, false, "", "", "AssumeRoleWithWebIdentity AssumeRole"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
			s := &tokens{granted: map[string]bool{"AssumeRoleWithWebIdentity": tc.web, "AssumeRole": tc.assume}}
			server := httptest.NewServer(s)
			defer server.Close()
			c, err := Config(t.Context(), scalers.Identity{}, "", Keys{ID: "AKIA", Secret: param.NewSecret(sentinel)})
			if err != nil {
				t.Fatal(err)
			}
			c.BaseEndpoint = sdk.String(server.URL)
			provider := newRole(c, scalers.Identity{RoleARN: "arn:aws:iam::1:role/worker", ExternalID: tc.external})
			for range 3 {
				got, err := provider.Retrieve(t.Context())
				if got.AccessKeyID != tc.want || (err == nil) != (tc.want != "") {
					t.Fatalf("got %q, %v", got.AccessKeyID, err)
				}
				if err != nil {
					expectError(t, Explain("fetching credentials", err), scalers.Authentication, "AWS STS", "AccessDenied", "Not authorized to perform AssumeRole")
					break
				}
			}
			var asked []string
			for _, form := range s.asked {
				asked = append(asked, form.Get("Action"))
				if form.Get("RoleArn") != "arn:aws:iam::1:role/worker" || form.Get("ExternalId") != tc.external {
					t.Errorf("asked for %v", form)
				}
			}
			if strings.Join(asked, " ") != tc.asked {
				t.Errorf("asked for %v, want %s", asked, tc.asked)
			}
		})
	}
}

func expectError(t *testing.T, err error, class scalers.Class, names ...string) {
	t.Helper()
	if scalers.ClassOf(err) != class {
		t.Errorf("the error is of class %s, want %s: %v", scalers.ClassOf(err), class, err)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %q: %v", name, err)
		}
	}
	for _, text := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		if strings.Contains(text, sentinel) || strings.Contains(err.Error(), "\n") {
			t.Errorf("a secret is told, or more than a line: %s", text)
		}
	}
}

// TestExplain: what a service answers, and what it does not.
func TestExplain(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		class  scalers.Class
		names  []string
	}{
		"denied":     {403, query("AccessDenied", "User: arn:x is not authorized"), scalers.Authentication, []string{"AWS STS", "AccessDenied", "arn:x"}},
		"expired":    {403, query("ExpiredToken", "The security token is expired"), scalers.Authentication, []string{"expired"}},
		"signature":  {403, query("SignatureDoesNotMatch", "should have been x-amz-security-token:"+sentinel), scalers.Authentication, []string{"do not belong together"}},
		"throttled":  {400, query("Throttling", "Rate exceeded"), scalers.RateLimited, []string{"Rate exceeded"}},
		"validation": {400, query("ValidationError", "1 validation error"), scalers.Configuration, []string{"validation error"}},
		"broken":     {500, query("InternalFailure", "oh"), scalers.Unavailable, []string{"InternalFailure"}},
		"page":       {502, "<html>" + sentinel, scalers.Unavailable, []string{"AWS STS"}},
		"no XML":     {200, sentinel, scalers.Unavailable, []string{"AWS STS"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(tc.status)
				_, _ = io.WriteString(rw, tc.body)
			}))
			defer server.Close()
			expectError(t, Explain("asking", ask(t.Context(), server.URL)), tc.class, tc.names...)
		})
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	expectError(t, Explain("asking", ask(t.Context(), gone.URL)), scalers.Unavailable, "AWS STS", "connection refused")
	ended, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	expectError(t, Explain("asking", ask(ended, gone.URL)), scalers.Unavailable, "AWS STS", "in time")
	ours := scalers.ConfigurationError("ours")
	if got := Explain("asking", fmt.Errorf("more: %w", ours)); !errors.Is(got, ours) {
		t.Errorf("an error with a class becomes %v", got)
	}
	c, _ := Config(t.Context(), scalers.Identity{}, "", Keys{})
	c.Credentials = sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
		return sdk.Credentials{}, errors.New("no EC2 IMDS role found " + sentinel)
	})
	_, err := sts.NewFromConfig(c).GetCallerIdentity(t.Context(), nil)
	expectError(t, Explain("asking", err), scalers.Authentication, "no AWS credentials")
}

func query(code, message string) string {
	return "<ErrorResponse><Error><Code>" + code + "</Code><Message>" + message + "</Message></Error></ErrorResponse>"
}

func ask(ctx context.Context, address string) error {
	c, err := Config(ctx, scalers.Identity{}, "", Keys{ID: "AKIA", Secret: param.NewSecret(sentinel)})
	if err != nil {
		return err
	}
	c.BaseEndpoint = sdk.String(address)
	_, err = sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
	return err
}

// TestSigner: a request is signed as AWS wants it; the clock is that of the read.
func TestSigner(t *testing.T) {
	s, err := conn.OpenSigner(conn.SignerConfig{Provider: conn.AWS, AWS: conn.AWSKeys{
		Region: "us-east-1", Service: "aps", AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: param.NewSecret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := scalers.WithNow(t.Context(), time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
	sign := func(body io.Reader) http.Header {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://aps.us-east-1.amazonaws.com/api/v1/query?b=2&a=1", body)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Sign(ctx, r); err != nil {
			t.Fatal(err)
		}
		return r.Header
	}
	empty, full := sign(nil), sign(strings.NewReader("query=up"))
	prefix := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/aps/aws4_request, SignedHeaders="
	if got := empty.Get("Authorization"); !strings.HasPrefix(got, prefix) || empty.Get("X-Amz-Date") != "20150830T123600Z" {
		t.Errorf("got %q at %s", got, empty.Get("X-Amz-Date"))
	}
	if empty.Get("Authorization") == full.Get("Authorization") {
		t.Error("the body is not signed")
	}
	if _, err := conn.OpenSigner(conn.SignerConfig{Provider: conn.AWS, AWS: conn.AWSKeys{AccessKeyID: "AKIA"}}); scalers.ClassOf(err) != scalers.Configuration || err == nil {
		t.Errorf("half a key: %v", err)
	}
}
