package v1alpha1

import (
	"net/url"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate lists every fault of the sources of credentials, as far as the object alone shows it.
func (ta *TriggerAuthentication) Validate() field.ErrorList { return ta.Spec.Validate() }

// Validate lists every fault of the sources of credentials, as far as the object alone shows it.
func (cta *ClusterTriggerAuthentication) Validate() field.ErrorList { return cta.Spec.Validate() }

// Warnings are sentences about settings that have no effect as they stand. The object works nevertheless.
func (ta *TriggerAuthentication) Warnings() []string {
	if ta.Spec.FilePath == "" {
		return nil
	}
	return []string{"spec.filePath is only read in a ClusterTriggerAuthentication: remove it, or use that kind"}
}

// Validate lists every fault of the sources of credentials. The podIdentity of a single vault is not looked at: what it
// lacks, signing in to that vault tells.
func (s *TriggerAuthenticationSpec) Validate() field.ErrorList {
	faults := s.PodIdentity.validate(specPath.Child("podIdentity"))
	return append(faults, s.OAuth2.validate(specPath.Child("oauth2"))...)
}

// PodIdentityProvider is the provider of the identity that triggers sign in by, none when there is none. It may be
// asked of a nil spec, which is that of a trigger without authenticationRef.
func (s *TriggerAuthenticationSpec) PodIdentityProvider() PodIdentityProvider {
	if s == nil || s.PodIdentity == nil || s.PodIdentity.Provider == "" {
		return PodIdentityProviderNone
	}
	return s.PodIdentity.Provider
}

// EffectiveIdentityOwner is whose identity is used: what the block says, or keda.
func (p *AuthPodIdentity) EffectiveIdentityOwner() IdentityOwner {
	if p.IdentityOwner == nil || *p.IdentityOwner == "" {
		return IdentityOwnerKeda
	}
	return *p.IdentityOwner
}

func (p *AuthPodIdentity) validate(at *field.Path) field.ErrorList {
	if p == nil {
		return nil
	}
	var faults field.ErrorList
	switch p.Provider {
	case PodIdentityProviderAzureWorkload:
		if p.IdentityID != nil && *p.IdentityID == "" {
			faults = append(faults, field.Invalid(at.Child("identityId"), "",
				"set it to a client id, or remove it to use that of the pod"))
		}
		if p.IdentityTenantID != nil && *p.IdentityTenantID == "" {
			faults = append(faults, field.Invalid(at.Child("identityTenantId"), "",
				"set it to a tenant id, or remove it to use that of the pod"))
		}
		if isSet(p.IdentityAuthorityHost) && !isSet(p.IdentityTenantID) {
			faults = append(faults, field.Required(at.Child("identityTenantId"),
				"set it to the tenant to sign in to at identityAuthorityHost, or remove identityAuthorityHost"))
		}
	case PodIdentityProviderAws:
		if isSet(p.RoleArn) && p.EffectiveIdentityOwner() == IdentityOwnerWorkload {
			faults = append(faults, field.Forbidden(at.Child("roleArn"),
				"remove it to use the role of the workload, or set identityOwner to keda"))
		}
		if isSet(p.ExternalID) && !isSet(p.RoleArn) {
			faults = append(faults, field.Required(at.Child("roleArn"),
				"set it to the role that externalID belongs to, or remove externalID"))
		}
	}
	return faults
}

func (o *OAuth2) validate(at *field.Path) field.ErrorList {
	if o == nil {
		return nil
	}
	var faults field.ErrorList
	if o.Type != "" && o.Type != OAuth2TypeClientCredentials {
		faults = append(faults, field.NotSupported(at.Child("type"), o.Type, []OAuth2Type{OAuth2TypeClientCredentials}))
	}
	if o.ClientID == "" {
		faults = append(faults, field.Required(at.Child("clientId"), "set it to the id of the client"))
	}
	if o.TokenURL == "" {
		return append(faults, field.Required(at.Child("tokenUrl"), "set it to the URL that gives the token"))
	}
	u, err := url.Parse(o.TokenURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		faults = append(faults, field.Invalid(at.Child("tokenUrl"), o.TokenURL,
			"write it as an absolute URL, for example https://login.example.com/token"))
	}
	return faults
}

// isSet reports whether an optional text is there and not empty.
func isSet(text *string) bool { return text != nil && *text != "" }
