package auth_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/auth/authtest"
)

const sentinel = authtest.Sentinel

// expect wants the parameters, no identity, and to be asked again then.
func expect(t *testing.T, got auth.Resolved, err error, want m, refresh time.Duration) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Params); diff != "" || got.Refresh != refresh {
		t.Errorf("refresh is %s, want %s; parameters (-want +got):\n%s", got.Refresh, refresh, diff)
	}
}

func file(path string) kedav1alpha1.TriggerAuthenticationSpec {
	return kedav1alpha1.TriggerAuthenticationSpec{FilePath: path}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFile(t *testing.T) {
	folder := t.TempDir()
	write(t, folder+"/..data/keys.json", `{"password":"`+sentinel+`","empty":""}`)
	if err := os.Symlink("..data/keys.json", folder+"/keys.json"); err != nil { // as Kubernetes mounts
		t.Fatal(err)
	}
	w := authtest.New(t, authtest.Secret("freshet", "keys", "k", "of the Secret"))
	w.Resolver.FileRoot = folder
	spec := file("keys.json")
	spec.SecretTargetRef = secretRef("user", "keys", "k").SecretTargetRef
	got, err := w.ResolveCluster(spec)
	expect(t, got, err, m{"password": sentinel, "empty": ""}, time.Minute)

	write(t, folder+"/..data/keys.json", `{"password":"next"}`)
	w.Advance(59 * time.Second)
	got, err = w.ResolveCluster(spec)
	expect(t, got, err, m{"password": sentinel, "empty": ""}, time.Second)
	w.Advance(time.Second)
	got, err = w.ResolveCluster(spec)
	expect(t, got, err, m{"password": "next"}, time.Minute)

	if err := os.Remove(folder + "/keys.json"); err != nil {
		t.Fatal(err)
	}
	w.Advance(time.Minute)
	got, err = w.ResolveCluster(spec)
	authtest.WantError(t, err, scalers.Configuration, "filePath", "keys.json", "does not exist", "ClusterTriggerAuthentication it")
	if got.Refresh != time.Second || got.Params != nil {
		t.Errorf("got %v of what is missing, again in %s", got, got.Refresh)
	}
}

func TestFilesThatAreNotRead(t *testing.T) {
	folder := t.TempDir()
	root := folder + "/root"
	write(t, folder+"/outside.json", `{"password":"`+sentinel+`"}`)
	for name, text := range map[string]string{
		"list.json": `["` + sentinel + `"]`, "number.json": `{"password":5318008}`, "broken.json": `{"password":"` + sentinel,
		"text.json": sentinel, "null.json": `null`, "nulls.json": `{"password":null}`, "nested.json": `{"a":{"b":"` + sentinel + `"}}`,
		"long.json": `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, "two.json": `{} {"a":"` + sentinel + `"}`, "empty.json": "",
	} {
		write(t, root+"/"+name, text)
	}
	for link, target := range map[string]string{
		"absolute.json": folder + "/outside.json", "relative.json": "../outside.json", "folder": "..", "circle.json": "circle.json",
	} {
		if err := os.Symlink(target, root+"/"+link); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(root+"/pipe.json", 0o600); err != nil {
		t.Fatal(err)
	}
	for path, names := range map[string][]string{
		"../outside.json": {"relative", ".."}, folder + "/outside.json": {"relative"}, "a/../../outside.json": {".."},
		"absolute.json": {"absolute.json"}, "relative.json": {"relative.json"}, "folder/outside.json": {"folder/outside.json"},
		"circle.json": {"circle.json"}, "none.json": {"does not exist"}, ".": {"not a file"}, "pipe.json": {"not a file"},
		"list.json": {"not a JSON object of texts"}, "number.json": {"not a JSON object"}, "broken.json": {"not a JSON object"},
		"text.json": {"not a JSON object"}, "null.json": {"not a JSON object"}, "nulls.json": {"password", "null"},
		"nested.json": {"not a JSON object"}, "long.json": {"longer than"}, "two.json": {"not a JSON object"}, "empty.json": {"not a JSON object"},
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			w := authtest.New(t)
			w.Resolver.FileRoot = root
			got, err := w.ResolveCluster(file(path))
			authtest.WantError(t, err, scalers.Configuration, append(names, "filePath")...)
			if got.Params != nil || strings.Contains(err.Error(), "5318008") {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	w := authtest.New(t)
	_, err := w.ResolveCluster(file("keys.json"))
	authtest.WantError(t, err, scalers.Configuration, "filePath", "--filepath-auth-root-path")
	w.Resolver.FileRoot = root
	_, err = w.Resolve(file("keys.json"))
	authtest.WantError(t, err, scalers.Configuration, "filePath", "ClusterTriggerAuthentication")
	w.Resolver.FileRoot = folder + "/none"
	_, err = w.ResolveCluster(file("keys.json"))
	authtest.WantError(t, err, scalers.Configuration, "--filepath-auth-root-path", "none")
}

func TestOAuth2(t *testing.T) {
	w := authtest.New(t, authtest.Secret("apps", "keys", "k", sentinel))
	from := authtest.From("keys", "k")
	got, err := w.Resolve(kedav1alpha1.TriggerAuthenticationSpec{OAuth2: &kedav1alpha1.OAuth2{
		ClientID: "me", ClientSecret: &from, TokenURL: "https://login.example.com/token?a=b", Scopes: []string{"read", "write"},
		TokenURLParams: map[string]string{"audience": "a b", "resource": "x&y"},
	}})
	expect(t, got, err, m{
		"oauthTokenURI": "https://login.example.com/token?a=b", "clientID": "me", "clientSecret": sentinel, "scopes": "read,write",
		"endpointParams": "audience=a+b&resource=x%26y",
	}, 0)
	got, err = w.Resolve(kedav1alpha1.TriggerAuthenticationSpec{OAuth2: &kedav1alpha1.OAuth2{ClientID: "me", TokenURL: "http://login/token"}})
	expect(t, got, err, m{"oauthTokenURI": "http://login/token", "clientID": "me"}, 0)

	missing := authtest.From("keys", "lost")
	for name, o := range map[string]kedav1alpha1.OAuth2{
		"oauth2.type":         {Type: "password", ClientID: "me", TokenURL: "https://login/token"},
		"oauth2.clientId":     {TokenURL: "https://login/token"},
		"oauth2.tokenUrl":     {ClientID: "me", TokenURL: "login/" + sentinel},
		"oauth2.clientSecret": {ClientID: "me", TokenURL: "https://login/token", ClientSecret: &missing},
	} {
		_, err := w.Resolve(kedav1alpha1.TriggerAuthenticationSpec{OAuth2: &o})
		authtest.WantError(t, err, scalers.Configuration, name)
	}
}

func bound(parameter, account string) kedav1alpha1.TriggerAuthenticationSpec {
	return kedav1alpha1.TriggerAuthenticationSpec{
		BoundServiceAccountToken: []kedav1alpha1.BoundServiceAccountToken{{Parameter: parameter, ServiceAccountName: account}},
	}
}

// TestBoundServiceAccountToken: a token is renewed after 80 % of its life, and
// kept while the cluster does not answer until it ends.
func TestBoundServiceAccountToken(t *testing.T) {
	w := authtest.New(t)
	w.Resolver.TokenLife = 100 * time.Minute
	first, second := m{"bearerToken": "token 1 of apps/reader " + sentinel}, m{"bearerToken": "token 2 of apps/reader " + sentinel}
	for _, step := range []struct {
		after, refresh time.Duration
		want           m
	}{
		{0, 80 * time.Minute, first}, {time.Minute, 79 * time.Minute, first}, {78 * time.Minute, time.Minute, first},
		{time.Minute, 80 * time.Minute, second},
	} {
		w.Advance(step.after)
		got, err := w.Resolve(bound("bearerToken", "reader"))
		expect(t, got, err, step.want, step.refresh)
	}
	good := w.Mint
	w.Mint = func(string, string) (string, error) { return sentinel, errors.New("connection refused") }
	w.Advance(99 * time.Minute)
	got, err := w.Resolve(bound("bearerToken", "reader"))
	expect(t, got, err, second, time.Second)
	w.Advance(time.Minute)
	_, err = w.Resolve(bound("bearerToken", "reader"))
	authtest.WantError(t, err, scalers.Unavailable, "reader", "connection refused")
	w.Mint = good
	w.Advance(time.Minute)
	got, err = w.ResolveCluster(bound("bearerToken", "reader"))
	if err != nil || !strings.Contains(got.Params["bearerToken"], "freshet/reader") {
		t.Errorf("a ClusterTriggerAuthentication gets %v, %v", got, err)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	accounts := schema.GroupResource{Resource: "serviceaccounts"}
	for name, tc := range map[string]struct {
		err   error
		class scalers.Class
		names []string
	}{
		"forbidden": {apierrors.NewForbidden(accounts, "reader", errors.New("no")), scalers.Authentication, []string{"serviceaccounts/token", "reader"}},
		"not there": {apierrors.NewNotFound(accounts, "reader"), scalers.Configuration, []string{"reader", "does not exist", "apps"}},
		"empty":     {nil, scalers.Unavailable, []string{"reader", "empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := authtest.New(t)
			w.Mint = func(string, string) (string, error) { return "", tc.err }
			_, err := w.Resolve(bound("p", "reader"))
			authtest.WantError(t, err, tc.class, tc.names...)
		})
	}
	w := authtest.New(t)
	w.Resolver.Tokens = nil
	_, err := w.Resolve(bound("p", "reader"))
	authtest.WantError(t, err, scalers.Configuration, "reader")
}

func identity(pod kedav1alpha1.AuthPodIdentity) kedav1alpha1.TriggerAuthenticationSpec {
	return kedav1alpha1.TriggerAuthenticationSpec{PodIdentity: &pod}
}

func account(name, role string) *corev1.ServiceAccount {
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: name}}
	if role != "" {
		sa.Annotations = m{"eks.amazonaws.com/role-arn": role}
	}
	return sa
}

func TestPodIdentity(t *testing.T) {
	workload, keda := kedav1alpha1.IdentityOwnerWorkload, kedav1alpha1.IdentityOwnerKeda
	for name, tc := range map[string]struct {
		pod     kedav1alpha1.AuthPodIdentity
		want    scalers.Identity
		params  m
		refresh time.Duration
	}{
		"none":  {kedav1alpha1.AuthPodIdentity{Provider: "none"}, scalers.Identity{}, m{}, 0},
		"gcp":   {kedav1alpha1.AuthPodIdentity{Provider: "gcp"}, scalers.Identity{Provider: "gcp"}, m{}, 0},
		"azure": {kedav1alpha1.AuthPodIdentity{Provider: "azure-workload"}, scalers.Identity{Provider: "azure-workload"}, m{}, 0},
		"azure, of its own": {kedav1alpha1.AuthPodIdentity{Provider: "azure-workload", IdentityID: new("id"), IdentityTenantID: new("tenant"),
			IdentityAuthorityHost: new("https://login")},
			scalers.Identity{Provider: "azure-workload", ID: "id", TenantID: "tenant", AuthorityHost: "https://login"}, m{}, 0},
		"aws":       {kedav1alpha1.AuthPodIdentity{Provider: "aws"}, scalers.Identity{Provider: "aws"}, m{}, 0},
		"aws, keda": {kedav1alpha1.AuthPodIdentity{Provider: "aws", IdentityOwner: &keda}, scalers.Identity{Provider: "aws"}, m{}, 0},
		"aws, role": {kedav1alpha1.AuthPodIdentity{Provider: "aws", RoleArn: new("arn:1"), ExternalID: new("x")},
			scalers.Identity{Provider: "aws", RoleARN: "arn:1", ExternalID: "x"}, m{"awsRoleArn": "arn:1"}, 0},
		"aws, workload": {kedav1alpha1.AuthPodIdentity{Provider: "aws", IdentityOwner: &workload},
			scalers.Identity{Provider: "aws", RoleARN: "arn:worker"}, m{"awsRoleArn": "arn:worker"}, time.Minute},
		"aws-eks": {kedav1alpha1.AuthPodIdentity{Provider: "aws-eks"},
			scalers.Identity{Provider: "aws", RoleARN: "arn:worker"}, m{"awsRoleArn": "arn:worker"}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := authtest.New(t, account("worker", "arn:worker"))
			got, err := w.Resolve(identity(tc.pod))
			expect(t, got, err, tc.params, tc.refresh)
			if diff := cmp.Diff(tc.want, got.Identity); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPodIdentityFaults(t *testing.T) {
	workload := kedav1alpha1.IdentityOwnerWorkload
	for name, tc := range map[string]struct {
		pod     kedav1alpha1.AuthPodIdentity
		account *corev1.ServiceAccount
		names   []string
	}{
		"unknown":         {kedav1alpha1.AuthPodIdentity{Provider: "aws-kiam"}, account("worker", ""), []string{"podIdentity.provider", "aws-kiam"}},
		"empty id":        {kedav1alpha1.AuthPodIdentity{Provider: "azure-workload", IdentityID: new("")}, account("worker", ""), []string{"podIdentity.identityId"}},
		"empty tenant":    {kedav1alpha1.AuthPodIdentity{Provider: "azure-workload", IdentityTenantID: new("")}, account("worker", ""), []string{"podIdentity.identityTenantId"}},
		"host, no tenant": {kedav1alpha1.AuthPodIdentity{Provider: "azure-workload", IdentityAuthorityHost: new("https://x")}, account("worker", ""), []string{"identityTenantId", "identityAuthorityHost"}},
		"two roles":       {kedav1alpha1.AuthPodIdentity{Provider: "aws", RoleArn: new("arn:1"), IdentityOwner: &workload}, account("worker", "arn:2"), []string{"roleArn", "identityOwner"}},
		"id, no role":     {kedav1alpha1.AuthPodIdentity{Provider: "aws", ExternalID: new("x")}, account("worker", ""), []string{"roleArn", "externalID"}},
		"no annotation":   {kedav1alpha1.AuthPodIdentity{Provider: "aws", IdentityOwner: &workload}, account("worker", ""), []string{"worker", "apps", "eks.amazonaws.com/role-arn"}},
		"no account":      {kedav1alpha1.AuthPodIdentity{Provider: "aws-eks"}, account("other", "arn:1"), []string{"worker", "apps", "does not exist"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := authtest.New(t, tc.account)
			got, err := w.Resolve(identity(tc.pod))
			authtest.WantError(t, err, scalers.Configuration, tc.names...)
			if got.Identity != (scalers.Identity{}) {
				t.Errorf("got the identity %+v", got.Identity)
			}
		})
	}
}

// TestRoleOfTheWorkload: an annotation that changes is noticed; a target without
// a ServiceAccount has the default one, and one without pods has none.
func TestRoleOfTheWorkload(t *testing.T) {
	spec := identity(kedav1alpha1.AuthPodIdentity{Provider: "aws-eks"})
	w := authtest.New(t, account("worker", "arn:1"), authentication("eks", spec), account("default", "arn:default"))
	if got, err := w.Resolve(spec); err != nil || got.Identity.RoleARN != "arn:1" {
		t.Fatalf("got %v, %v", got.Identity, err)
	}
	w.Put(account("worker", "arn:2"))
	w.Advance(time.Minute)
	if got, err := w.Resolve(spec); err != nil || got.Identity.RoleARN != "arn:2" {
		t.Errorf("got %v, %v", got.Identity, err)
	}
	if got, err := w.Resolver.Resolve(t.Context(), workload(), ref("eks")); err != nil || got.Identity.RoleARN != "arn:default" {
		t.Errorf("got %v, %v", got.Identity, err)
	}
	_, err := w.Resolver.Resolve(t.Context(), bare(), ref("eks"))
	wantConfiguration(t, err, "podIdentity", "pod template")
}

// TestRestrictedSecrets: only Secrets of Freshet's own namespace are read.
func TestRestrictedSecrets(t *testing.T) {
	w := authtest.New(t, authtest.Secret("apps", "keys", "k", "of apps"), authtest.Secret("freshet", "keys", "k", "of freshet"))
	w.Resolver.RestrictSecrets = true
	w.Resolver.Reader = forbidding{w.Client, "apps"}
	got, err := w.ResolveCluster(secretRef("password", "keys", "k"))
	expect(t, got, err, m{"password": "of freshet"}, 0)
	_, err = w.Resolve(secretRef("password", "keys", "k"))
	authtest.WantError(t, err, scalers.Configuration, "secretTargetRef", "keys", "apps", "freshet", "KEDA_RESTRICT_SECRET_ACCESS")

	target := workload(with([]corev1.EnvVar{{Name: "A", Value: "1"}, fromSecret("B", "keys", "k", false), fromConfigMap("C", "settings", "HOST", true)},
		allOf("Secret", "keys", "", false)))
	env, err := w.Resolver.Environment(t.Context(), target)
	if diff := cmp.Diff(m{"A": "1"}, env); diff != "" || err != nil {
		t.Errorf("%v, the environment is (-want +got):\n%s", err, diff)
	}
	w.Put(authentication("variable", envRef("p", "B", "")))
	_, err = w.Resolver.Resolve(t.Context(), target, ref("variable"))
	authtest.WantError(t, err, scalers.Configuration, "variable B", "KEDA_RESTRICT_SECRET_ACCESS")
	w.Resolver.ClusterNamespace = "elsewhere"
	_, err = w.ResolveCluster(secretRef("password", "keys", "k"))
	authtest.WantError(t, err, scalers.Configuration, "elsewhere", "KEDA_RESTRICT_SECRET_ACCESS")
}

// TestOrderOfSources: a later source overwrites an earlier one.
func TestOrderOfSources(t *testing.T) {
	w := authtest.New(t, authtest.Secret("apps", "keys", "k", "secret"), account("worker", "arn:worker"))
	spec := bound("clientID", "reader")
	spec.PodIdentity = &kedav1alpha1.AuthPodIdentity{Provider: "aws-eks"}
	spec.SecretTargetRef = []kedav1alpha1.AuthSecretTargetRef{
		{Parameter: "awsRoleArn", Name: "keys", Key: "k"}, {Parameter: "scopes", Name: "keys", Key: "k"},
	}
	spec.BoundServiceAccountToken = append(spec.BoundServiceAccountToken, bound("awsRoleArn", "reader").BoundServiceAccountToken...)
	spec.OAuth2 = &kedav1alpha1.OAuth2{ClientID: "me", TokenURL: "https://login/token"}
	got, err := w.Resolve(spec)
	expect(t, got, err, m{
		"clientID": "me", "oauthTokenURI": "https://login/token", "scopes": "secret", "awsRoleArn": "token 1 of apps/reader " + sentinel,
	}, time.Minute) // of the role; the token lives longer
}

// forbidding is a client that may not read Secrets of the namespace.
type forbidding struct {
	client.Client
	namespace string
}

func (f forbidding) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if _, ok := obj.(*corev1.Secret); ok && key.Namespace == f.namespace {
		return errors.New("a Secret was asked for that is out of bounds")
	}
	return f.Client.Get(ctx, key, obj, opts...)
}
