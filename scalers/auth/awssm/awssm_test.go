package awssm_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/auth/authtest"
	_ "github.com/freshet-io/freshet/scalers/auth/awssm"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

type (
	m      = map[string]string
	spec   = kedav1alpha1.AwsSecretManager
	secret = kedav1alpha1.AwsSecretManagerSecret
)

const sentinel = authtest.Sentinel

// upstream is what AWS answers with; the environment points to it.
var upstream atomic.Value

// TestMain points every service of AWS to this process, and gives Freshet's pod
// an access key.
func TestMain(m *testing.M) {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		upstream.Load().(http.HandlerFunc)(rw, r)
	}))
	for key, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "own " + sentinel,
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		_ = os.Setenv(key, value)
	}
	code := m.Run()
	server.Close()
	os.Exit(code)
}

// point has AWS answer with f.
func point(f http.HandlerFunc) { upstream.Store(f) }

// keys is an access key in the Secret "keys" of the namespace apps.
var keys = &kedav1alpha1.AwsSecretManagerCredentials{
	AccessKey: authtest.From("keys", "id"), AccessSecretKey: authtest.From("keys", "secret"), AccessToken: new(authtest.From("keys", "token")),
}

func newWorld(t *testing.T) *authtest.World {
	return authtest.New(t, authtest.Secret("apps", "keys", "id", "AKIAKEY", "secret", sentinel, "token", sentinel, "empty", ""))
}

func byKeys(secrets ...secret) kedav1alpha1.TriggerAuthenticationSpec {
	return kedav1alpha1.TriggerAuthenticationSpec{AwsSecretManager: &spec{Credentials: keys, Region: "eu-west-1", Secrets: secrets}}
}

func expect(t *testing.T, got auth.Resolved, err error, want m) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Params); diff != "" || got.Refresh != time.Minute {
		t.Errorf("refresh is %s, want a minute; parameters (-want +got):\n%s", got.Refresh, diff)
	}
}

// TestSecrets reads from an imitation of AWS.
func TestSecrets(t *testing.T) {
	server := scalertest.AWS(t)
	var asked []string // as whom
	point(func(rw http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Authorization")[len("AWS4-HMAC-SHA256 Credential="):][:7])
		forward(t, server.URL(), rw, r)
	})
	client := secretsmanager.New(secretsmanager.Options{
		Region: "eu-west-1", BaseEndpoint: sdk.String(server.URL()), Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	first, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: sdk.String("queues"), SecretString: sdk.String(`{"password":"` + sentinel + `","port":5672,"null":null}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: sdk.String("binary"), SecretBinary: []byte("\x01" + sentinel)})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	got, err := w.Resolve(byKeys(
		secret{Parameter: "password", Name: "queues", SecretKey: "password"}, secret{Parameter: "port", Name: *first.ARN, SecretKey: "port"},
		secret{Parameter: "all", Name: "queues"}, secret{Parameter: "binary", Name: "binary"},
	))
	expect(t, got, err, m{
		"password": sentinel, "port": "5672", "all": `{"password":"` + sentinel + `","port":5672,"null":null}`, "binary": "\x01" + sentinel,
	})
	if diff := cmp.Diff([]string{"AKIAKEY", "AKIAKEY", "AKIAKEY"}, asked); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if _, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: first.ARN, SecretString: sdk.String("next")}); err != nil {
		t.Fatal(err)
	}
	w.Advance(time.Minute)
	got, err = w.Resolve(byKeys(
		secret{Parameter: "now", Name: "queues"}, secret{Parameter: "before", Name: "queues", VersionStage: "AWSPREVIOUS", SecretKey: "port"},
		secret{Parameter: "first", Name: "queues", VersionID: *first.VersionId, SecretKey: "port"},
	))
	expect(t, got, err, m{"now": "next", "before": "5672", "first": "5672"})

	for name, tc := range map[string]struct {
		secret secret
		names  []string
	}{
		"not there":    {secret{Name: "lost"}, []string{"lost", "ResourceNotFoundException"}},
		"no such key":  {secret{Name: "queues", SecretKey: "lost", VersionID: *first.VersionId}, []string{"queues", `"lost"`}},
		"null":         {secret{Name: "queues", SecretKey: "null", VersionID: *first.VersionId}, []string{"queues", `"null"`}},
		"no object":    {secret{Name: "queues", SecretKey: "port"}, []string{"queues", "not a JSON object"}},
		"no version":   {secret{Name: "queues", VersionID: "00000000-0000-0000-0000-000000000000"}, []string{"queues"}},
		"other region": {secret{Name: "arn:aws:secretsmanager:us-east-2:123456789012:secret:queues-AAAAAA"}, []string{"us-east-2"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newWorld(t).Resolve(byKeys(tc.secret))
			authtest.WantError(t, err, scalers.Configuration, tc.names...)
		})
	}

	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "worker", Annotations: m{
		"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/worker",
	}}}
	workload := kedav1alpha1.IdentityOwnerWorkload
	for want, pod := range map[string]*kedav1alpha1.AuthPodIdentity{
		"AKIAOWN": {Provider: "aws"}, "ASIA": {Provider: "aws", IdentityOwner: &workload},
	} {
		asked = nil
		w := newWorld(t)
		w.Put(account.DeepCopy())
		got, err := w.Resolve(kedav1alpha1.TriggerAuthenticationSpec{AwsSecretManager: &spec{
			PodIdentity: pod, Region: "eu-west-1", Secrets: []secret{{Parameter: "p", Name: "queues"}},
		}})
		expect(t, got, err, m{"p": "next"})
		if last := asked[len(asked)-1]; last[:len(want)] != want {
			t.Errorf("read as %q, want %s", asked, want)
		}
	}
}

// forward hands a request on, signed as it is.
func forward(t *testing.T, address string, rw http.ResponseWriter, r *http.Request) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, address+r.URL.String(), r.Body)
	if err != nil {
		t.Error(err)
		return
	}
	request.Header = r.Header.Clone()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return
	}
	defer response.Body.Close()
	for key := range response.Header {
		rw.Header().Set(key, response.Header.Get(key))
	}
	rw.WriteHeader(response.StatusCode)
	_, _ = io.Copy(rw, response.Body)
}

func TestReplies(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		class  scalers.Class
		names  []string
	}{
		"denied":      {400, `{"__type":"AccessDeniedException","Message":"User is not authorized to perform: secretsmanager:GetSecretValue"}`, scalers.Authentication, []string{"queues", "not authorized"}},
		"bad token":   {400, `{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}`, scalers.Authentication, []string{"security token"}},
		"signature":   {400, `{"__type":"InvalidSignatureException","message":"should have been ` + sentinel + `"}`, scalers.Authentication, []string{"do not belong together"}},
		"throttled":   {400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`, scalers.RateLimited, []string{"Rate exceeded"}},
		"internal":    {500, `{"__type":"InternalServiceError"}`, scalers.Unavailable, []string{"InternalServiceError"}},
		"decryption":  {400, `{"__type":"DecryptionFailure","Message":"no key"}`, scalers.Configuration, []string{"DecryptionFailure"}},
		"page":        {502, `<html>` + sentinel, scalers.Unavailable, []string{"Secrets Manager"}},
		"no value":    {200, `{"Name":"queues"}`, scalers.Unavailable, []string{"without its value"}},
		"half":        {200, `{"SecretString":"` + sentinel, scalers.Unavailable, []string{"Secrets Manager"}},
		"not an text": {200, `{"SecretString":{"a":"` + sentinel + `"}}`, scalers.Unavailable, []string{"Secrets Manager"}},
	} {
		t.Run(name, func(t *testing.T) {
			point(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
				rw.WriteHeader(tc.status)
				_, _ = io.WriteString(rw, tc.body)
			})
			_, err := newWorld(t).Resolve(byKeys(secret{Parameter: "p", Name: "queues"}))
			authtest.WantError(t, err, tc.class, tc.names...)
		})
	}
}

// TestServiceGoneAndBack: the last value lasts while AWS hangs.
func TestServiceGoneAndBack(t *testing.T) {
	say := func(text string) {
		point(func(rw http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(rw, `{"SecretString":"%s"}`, text) })
	}
	say("one")
	w := newWorld(t)
	w.Resolver.Timeout = 200 * time.Millisecond
	got, err := w.Resolve(byKeys(secret{Parameter: "p", Name: "queues"}))
	expect(t, got, err, m{"p": "one"})
	ctx, cancel := context.WithCancel(t.Context())
	point(func(http.ResponseWriter, *http.Request) { <-ctx.Done() })
	w.Advance(time.Minute)
	if got, err = w.Resolve(byKeys(secret{Parameter: "p", Name: "queues"})); err != nil || got.Params["p"] != "one" {
		t.Errorf("got %v, %v", got, err)
	}
	_, err = w.Resolve(byKeys(secret{Parameter: "p", Name: "other"}))
	authtest.WantError(t, err, scalers.Unavailable)
	cancel()
	say("two")
	w.Advance(time.Minute)
	got, err = w.Resolve(byKeys(secret{Parameter: "p", Name: "queues"}))
	expect(t, got, err, m{"p": "two"})
}

func TestFaultsOfTheBlock(t *testing.T) {
	point(func(http.ResponseWriter, *http.Request) { t.Error("AWS is asked") })
	secrets := []secret{{Parameter: "p", Name: "queues"}}
	empty, lost := *keys, *keys
	empty.AccessSecretKey, lost.AccessKey = authtest.From("keys", "empty"), authtest.From("keys", "lost")
	for name, s := range map[string]spec{
		"neither credentials nor podIdentity":     {Region: "r", Secrets: secrets},
		"podIdentity.provider":                    {Region: "r", Secrets: secrets, PodIdentity: &kedav1alpha1.AuthPodIdentity{Provider: "gcp"}},
		"awsSecretManager.podIdentity.roleArn":    {Region: "r", Secrets: secrets, PodIdentity: &kedav1alpha1.AuthPodIdentity{Provider: "aws", ExternalID: new("x")}},
		"awsSecretManager.credentials":            {Region: "r", Secrets: secrets, Credentials: &empty},
		"awsSecretManager.credentials.accessKey ": {Region: "r", Secrets: secrets, Credentials: &lost},
		"region": {Secrets: secrets, Credentials: keys},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newWorld(t).Resolve(kedav1alpha1.TriggerAuthenticationSpec{AwsSecretManager: &s})
			authtest.WantError(t, err, scalers.Configuration, name)
		})
	}
}
