package v1alpha1

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestTriggerAuthenticationValidate(t *testing.T) {
	identity := func(p AuthPodIdentity) TriggerAuthenticationSpec {
		return TriggerAuthenticationSpec{PodIdentity: &p}
	}
	oauth2 := func(o OAuth2) TriggerAuthenticationSpec { return TriggerAuthenticationSpec{OAuth2: &o} }
	const azure, aws = PodIdentityProviderAzureWorkload, PodIdentityProviderAws
	workload, keda := new(IdentityOwnerWorkload), new(IdentityOwnerKeda)
	cases := map[string]struct {
		reason string
		spec   TriggerAuthenticationSpec
		want   []told
	}{
		"Empty": {reason: "no source is no fault"},
		"Azure": {reason: "an identity without overrides", spec: identity(AuthPodIdentity{Provider: azure})},
		"AzureOverrides": {
			reason: "an identity with all overrides",
			spec: identity(AuthPodIdentity{
				Provider: azure, IdentityID: new("c"), IdentityTenantID: new("t"), IdentityAuthorityHost: new("https://login.example.com"),
			}),
		},
		"AzureEmpty": {
			reason: "an override is not empty",
			spec:   identity(AuthPodIdentity{Provider: azure, IdentityID: new(""), IdentityTenantID: new("")}),
			want:   []told{{invalid, "spec.podIdentity.identityId"}, {invalid, "spec.podIdentity.identityTenantId"}},
		},
		"AzureHostAlone": {
			reason: "an authority needs a tenant",
			spec:   identity(AuthPodIdentity{Provider: azure, IdentityAuthorityHost: new("https://login.example.com")}),
			want:   []told{{required, "spec.podIdentity.identityTenantId"}},
		},
		"OtherProvider": {
			reason: "what does not concern a provider is not looked at",
			spec: identity(AuthPodIdentity{
				Provider: PodIdentityProviderGCP, IdentityID: new(""), IdentityTenantID: new(""), ExternalID: new("e"),
			}),
		},
		"AWSRole": {
			reason: "a role of one's own",
			spec:   identity(AuthPodIdentity{Provider: aws, RoleArn: new("r"), ExternalID: new("e"), IdentityOwner: keda}),
		},
		"AWSWorkload": {
			reason: "the role of the workload",
			spec:   identity(AuthPodIdentity{Provider: aws, IdentityOwner: workload}),
		},
		"AWSTwoRoles": {
			reason: "one role or the other",
			spec:   identity(AuthPodIdentity{Provider: aws, RoleArn: new("r"), IdentityOwner: workload}),
			want:   []told{{forbidden, "spec.podIdentity.roleArn"}},
		},
		"AWSIDAlone": {
			reason: "an external id needs a role",
			spec:   identity(AuthPodIdentity{Provider: aws, ExternalID: new("e")}),
			want:   []told{{required, "spec.podIdentity.roleArn"}},
		},
		"VaultIdentity": {
			reason: "the identity of a single vault is not looked at",
			spec:   TriggerAuthenticationSpec{AwsSecretManager: &AwsSecretManager{PodIdentity: &AuthPodIdentity{Provider: aws, ExternalID: new("e")}}},
		},
		"OAuth2": {
			reason: "what is needed is enough",
			spec:   oauth2(OAuth2{Type: OAuth2TypeClientCredentials, ClientID: "c", TokenURL: "http://login/token"}),
		},
		"OAuth2NoType": {
			reason: "the grant has a default",
			spec:   oauth2(OAuth2{ClientID: "c", TokenURL: "https://login/token"}),
		},
		"OAuth2Empty": {
			reason: "client and URL are needed",
			spec:   oauth2(OAuth2{}),
			want:   []told{{required, "spec.oauth2.clientId"}, {required, "spec.oauth2.tokenUrl"}},
		},
		"OAuth2Type": {
			reason: "there is one grant",
			spec:   oauth2(OAuth2{Type: "password", ClientID: "c", TokenURL: "https://login/token"}),
			want:   []told{{unsupported, "spec.oauth2.type"}},
		},
		"OAuth2Path": {
			reason: "the URL is absolute",
			spec:   oauth2(OAuth2{ClientID: "c", TokenURL: "/token"}),
			want:   []told{{invalid, "spec.oauth2.tokenUrl"}},
		},
		"OAuth2Scheme": {
			reason: "the URL is one of HTTP",
			spec:   oauth2(OAuth2{ClientID: "c", TokenURL: "ftp://login/token"}),
			want:   []told{{invalid, "spec.oauth2.tokenUrl"}},
		},
		"OAuth2OddURL": {
			reason: "the URL is one",
			spec:   oauth2(OAuth2{ClientID: "c", TokenURL: "https://log in/%zz"}),
			want:   []told{{invalid, "spec.oauth2.tokenUrl"}},
		},
		"OAuth2AndMore": {
			reason: "an identity beside it does not hide its faults",
			spec:   TriggerAuthenticationSpec{PodIdentity: &AuthPodIdentity{Provider: aws}, OAuth2: &OAuth2{TokenURL: "https://login/token"}},
			want:   []told{{required, "spec.oauth2.clientId"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ta := &TriggerAuthentication{Spec: tc.spec}
			expectFaults(t, tc.reason, tc.want, ta.Validate())
			cta := &ClusterTriggerAuthentication{Spec: tc.spec}
			if diff := gocmp.Diff(ta.Validate(), cta.Validate()); diff != "" {
				t.Errorf("both kinds are held to the same (-namespaced +cluster):\n%s", diff)
			}
		})
	}
}

func TestTriggerAuthenticationWarnings(t *testing.T) {
	ta := &TriggerAuthentication{}
	if got := ta.Warnings(); got != nil {
		t.Errorf("there is nothing to warn of, got %v", got)
	}
	ta.Spec.FilePath = "brokers.json"
	if got := ta.Warnings(); len(got) != 1 {
		t.Errorf("a file is only read in the other kind, want one warning, got %v", got)
	}
}
