package auth

import (
	"context"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
)

// roleAnnotation is how a ServiceAccount names its AWS role.
const roleAnnotation = "eks.amazonaws.com/role-arn"

// readIdentity resolves podIdentity. A role is the parameter awsRoleArn too.
func (q *Request) readIdentity(ctx context.Context) error {
	identity, err := q.Identity(ctx, q.Spec.PodIdentity, "podIdentity")
	if err != nil {
		return err
	}
	q.identity = identity
	if identity.RoleARN != "" {
		q.Set("awsRoleArn", identity.RoleARN)
	}
	return nil
}

// Identity resolves a block of pod identity; nil is none. at is the field that
// the block stands in.
func (q *Request) Identity(ctx context.Context, pod *kedav1alpha1.AuthPodIdentity, at string) (scalers.Identity, error) {
	none := scalers.Identity{}
	if pod == nil {
		return none, nil
	}
	switch pod.Provider {
	case "", kedav1alpha1.PodIdentityProviderNone:
		return none, nil
	case kedav1alpha1.PodIdentityProviderGCP:
		return scalers.Identity{Provider: "gcp"}, nil
	case kedav1alpha1.PodIdentityProviderAzureWorkload:
		return azureIdentity(pod, at)
	case kedav1alpha1.PodIdentityProviderAws:
		return q.awsIdentity(ctx, pod, at)
	case kedav1alpha1.PodIdentityProviderAwsEKS:
		role, err := q.workloadRole(ctx, at)
		return scalers.Identity{Provider: "aws", RoleARN: role}, err
	}
	return none, scalers.ConfigurationError("%s.provider is %q: use azure-workload, gcp, aws or none", at, pod.Provider)
}

func azureIdentity(pod *kedav1alpha1.AuthPodIdentity, at string) (scalers.Identity, error) {
	id := scalers.Identity{
		Provider: "azure-workload", ID: text(pod.IdentityID), TenantID: text(pod.IdentityTenantID), AuthorityHost: text(pod.IdentityAuthorityHost),
	}
	switch {
	case pod.IdentityID != nil && id.ID == "":
		return scalers.Identity{}, scalers.ConfigurationError("%s.identityId is empty: set it to a client id, or remove it to use that of Freshet's pod", at)
	case pod.IdentityTenantID != nil && id.TenantID == "":
		return scalers.Identity{}, scalers.ConfigurationError("%s.identityTenantId is empty: set it to a tenant id, or remove it to use that of Freshet's pod", at)
	case id.AuthorityHost != "" && id.TenantID == "":
		return scalers.Identity{}, scalers.ConfigurationError("%s.identityTenantId is missing: identityAuthorityHost needs it", at)
	}
	return id, nil
}

func (q *Request) awsIdentity(ctx context.Context, pod *kedav1alpha1.AuthPodIdentity, at string) (scalers.Identity, error) {
	id := scalers.Identity{Provider: "aws", RoleARN: text(pod.RoleArn), ExternalID: text(pod.ExternalID)}
	ofWorkload := pod.EffectiveIdentityOwner() == kedav1alpha1.IdentityOwnerWorkload
	switch {
	case id.RoleARN != "" && ofWorkload:
		return scalers.Identity{}, scalers.ConfigurationError("%s.roleArn does not go together with identityOwner workload: remove one of them", at)
	case id.ExternalID != "" && id.RoleARN == "":
		return scalers.Identity{}, scalers.ConfigurationError("%s.roleArn is missing: externalID needs it", at)
	case !ofWorkload:
		return id, nil
	}
	var err error
	id.RoleARN, err = q.workloadRole(ctx, at)
	return id, err
}

// workloadRole is the AWS role of the workload's ServiceAccount.
func (q *Request) workloadRole(ctx context.Context, at string) (string, error) {
	spec, err := q.workload.PodSpec(ctx)
	switch {
	case err != nil:
		return "", err
	case spec == nil:
		return "", scalers.ConfigurationError("%s takes the role of the workload's ServiceAccount, and the target has no pod template: "+
			"give roleArn instead", at)
	}
	account := spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	return q.annotation(ctx, account, roleAnnotation, at)
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
