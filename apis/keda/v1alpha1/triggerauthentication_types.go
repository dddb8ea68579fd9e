package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TriggerAuthentication says where the credentials of triggers come from, for the ScaledObjects and ScaledJobs of its
// namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=triggerauthentications,scope=Namespaced,shortName=ta;triggerauth
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="PodIdentity",type="string",JSONPath=".spec.podIdentity.provider"
// +kubebuilder:printcolumn:name="Secret",type="string",JSONPath=".spec.secretTargetRef[*].name"
// +kubebuilder:printcolumn:name="Env",type="string",JSONPath=".spec.env[*].name"
// +kubebuilder:printcolumn:name="VaultAddress",type="string",JSONPath=".spec.hashiCorpVault.address"
// +kubebuilder:printcolumn:name="ScaledObjects",type="string",priority=1,JSONPath=".status.scaledobjects"
// +kubebuilder:printcolumn:name="ScaledJobs",type="string",priority=1,JSONPath=".status.scaledjobs"
type TriggerAuthentication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says where the credentials come from. Sources may be combined; each gives one or more parameters.
	Spec TriggerAuthenticationSpec `json:"spec"`

	// status says who uses the credentials. Freshet writes it.
	// +optional
	Status TriggerAuthenticationStatus `json:"status,omitzero"`
}

// TriggerAuthenticationList is a list of TriggerAuthentications.
//
// +kubebuilder:object:root=true
type TriggerAuthenticationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []TriggerAuthentication `json:"items"`
}

// ClusterTriggerAuthentication says where the credentials of triggers come from, for the ScaledObjects and ScaledJobs
// of every namespace. The Secrets, ConfigMaps and ServiceAccounts that it names are those of one namespace, which the
// installation of Freshet chooses.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=clustertriggerauthentications,scope=Cluster,shortName=cta;clustertriggerauth
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="PodIdentity",type="string",JSONPath=".spec.podIdentity.provider"
// +kubebuilder:printcolumn:name="Secret",type="string",JSONPath=".spec.secretTargetRef[*].name"
// +kubebuilder:printcolumn:name="Env",type="string",JSONPath=".spec.env[*].name"
// +kubebuilder:printcolumn:name="VaultAddress",type="string",JSONPath=".spec.hashiCorpVault.address"
// +kubebuilder:printcolumn:name="FilePath",type="string",JSONPath=".spec.filePath"
// +kubebuilder:printcolumn:name="ScaledObjects",type="string",priority=1,JSONPath=".status.scaledobjects"
// +kubebuilder:printcolumn:name="ScaledJobs",type="string",priority=1,JSONPath=".status.scaledjobs"
type ClusterTriggerAuthentication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says where the credentials come from. Sources may be combined; each gives one or more parameters.
	Spec TriggerAuthenticationSpec `json:"spec"`

	// status says who uses the credentials. Freshet writes it.
	// +optional
	Status TriggerAuthenticationStatus `json:"status,omitzero"`
}

// ClusterTriggerAuthenticationList is a list of ClusterTriggerAuthentications.
//
// +kubebuilder:object:root=true
type ClusterTriggerAuthenticationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClusterTriggerAuthentication `json:"items"`
}

// TriggerAuthenticationSpec says where credentials come from. If two sources give the same parameter, the one further
// down this list of fields counts: env, configMapTargetRef, secretTargetRef, hashiCorpVault, azureKeyVault,
// gcpSecretManager, awsSecretManager, boundServiceAccountToken, oauth2.
type TriggerAuthenticationSpec struct {
	// podIdentity has triggers sign in by the identity of a pod instead of by a password or key.
	// +kubebuilder:validation:XValidation:rule="self.provider != 'azure-workload' || !has(self.identityId) || size(self.identityId) > 0",message="set identityId to a client id, or remove it to use that of the pod",fieldPath=".identityId"
	// +kubebuilder:validation:XValidation:rule="self.provider != 'azure-workload' || !has(self.identityTenantId) || size(self.identityTenantId) > 0",message="set identityTenantId to a tenant id, or remove it to use that of the pod",fieldPath=".identityTenantId"
	// +kubebuilder:validation:XValidation:rule="self.provider != 'azure-workload' || !has(self.identityAuthorityHost) || size(self.identityAuthorityHost) == 0 || (has(self.identityTenantId) && size(self.identityTenantId) > 0)",message="set identityTenantId to the tenant to sign in to at identityAuthorityHost, or remove identityAuthorityHost",fieldPath=".identityTenantId"
	// +kubebuilder:validation:XValidation:rule="self.provider != 'aws' || !has(self.roleArn) || size(self.roleArn) == 0 || !has(self.identityOwner) || self.identityOwner != 'workload'",message="remove roleArn to use the role of the workload, or set identityOwner to keda",fieldPath=".roleArn"
	// +kubebuilder:validation:XValidation:rule="self.provider != 'aws' || !has(self.externalID) || size(self.externalID) == 0 || (has(self.roleArn) && size(self.roleArn) > 0)",message="set roleArn to the role that externalID belongs to, or remove externalID",fieldPath=".roleArn"
	// +optional
	PodIdentity *AuthPodIdentity `json:"podIdentity,omitempty"`

	// secretTargetRef takes parameters from keys of Secrets.
	// +optional
	SecretTargetRef []AuthSecretTargetRef `json:"secretTargetRef,omitempty"`

	// configMapTargetRef takes parameters from keys of ConfigMaps.
	// +optional
	ConfigMapTargetRef []AuthConfigMapTargetRef `json:"configMapTargetRef,omitempty"`

	// env takes parameters from the environment of a container of the workload that is scaled.
	// +optional
	Env []AuthEnvironment `json:"env,omitempty"`

	// filePath takes parameters from a JSON file with an object of texts in it, under the directory that Freshet is
	// started with. The path is relative and must not lead out of that directory. When it is set, no other source is
	// read. Only in a ClusterTriggerAuthentication.
	// +optional
	FilePath string `json:"filePath,omitempty"`

	// hashiCorpVault takes parameters from HashiCorp Vault.
	// +optional
	HashiCorpVault *HashiCorpVault `json:"hashiCorpVault,omitempty"`

	// azureKeyVault takes parameters from Azure Key Vault.
	// +optional
	AzureKeyVault *AzureKeyVault `json:"azureKeyVault,omitempty"`

	// gcpSecretManager takes parameters from Google Cloud Secret Manager.
	// +optional
	GCPSecretManager *GCPSecretManager `json:"gcpSecretManager,omitempty"`

	// awsSecretManager takes parameters from AWS Secrets Manager.
	// +optional
	AwsSecretManager *AwsSecretManager `json:"awsSecretManager,omitempty"`

	// boundServiceAccountToken requests short-lived tokens of ServiceAccounts and gives them as parameters.
	// +optional
	BoundServiceAccountToken []BoundServiceAccountToken `json:"boundServiceAccountToken,omitempty"`

	// oauth2 has triggers that speak HTTP get a token from an OAuth 2.0 server and send it along.
	// +optional
	OAuth2 *OAuth2 `json:"oauth2,omitempty"`
}

// TriggerAuthenticationStatus says who uses the credentials.
type TriggerAuthenticationStatus struct {
	// scaledobjects are the names of the ScaledObjects that refer to this object, separated by commas, for printing.
	// +optional
	ScaledObjectNamesStr string `json:"scaledobjects,omitempty"`

	// scaledjobs are the names of the ScaledJobs that refer to this object, separated by commas, for printing.
	// +optional
	ScaledJobNamesStr string `json:"scaledjobs,omitempty"`
}

// PodIdentityProvider names a system that gives pods an identity.
type PodIdentityProvider string

// The providers of pod identity.
const (
	// PodIdentityProviderNone is no identity, the same as no podIdentity at all.
	PodIdentityProviderNone PodIdentityProvider = "none"
	// PodIdentityProviderAzureWorkload is Microsoft Entra Workload ID.
	PodIdentityProviderAzureWorkload PodIdentityProvider = "azure-workload"
	// PodIdentityProviderGCP is Workload Identity of Google Cloud.
	PodIdentityProviderGCP PodIdentityProvider = "gcp"
	// PodIdentityProviderAws is AWS, by a web identity token or by EKS Pod Identity.
	PodIdentityProviderAws PodIdentityProvider = "aws"
	// PodIdentityProviderAwsEKS is AWS by the role of the workload's ServiceAccount. PodIdentityProviderAws replaces it.
	PodIdentityProviderAwsEKS PodIdentityProvider = "aws-eks"
)

// IdentityOwner names the pod whose identity is used.
type IdentityOwner string

const (
	// IdentityOwnerKeda is the pod that reads the trigger: Freshet's.
	IdentityOwnerKeda IdentityOwner = "keda"
	// IdentityOwnerWorkload is the workload that is scaled.
	IdentityOwnerWorkload IdentityOwner = "workload"
)

// AuthPodIdentity is how to sign in by the identity of a pod.
type AuthPodIdentity struct {
	// provider is the system that gives the identity: azure-workload, gcp, aws, aws-eks (use aws instead), or none.
	// +kubebuilder:validation:Enum=azure-workload;gcp;aws;aws-eks;none
	Provider PodIdentityProvider `json:"provider"`

	// identityId is the client id to sign in to Azure with, with the provider azure-workload. Default the client id that
	// Freshet's own pod has. Must not be empty when given.
	// +optional
	IdentityID *string `json:"identityId,omitempty"`

	// identityTenantId is the Azure tenant to sign in to, with the provider azure-workload. Default the tenant that
	// Freshet's own pod has. Must not be empty when given.
	// +optional
	IdentityTenantID *string `json:"identityTenantId,omitempty"`

	// identityAuthorityHost is the URL of the Azure authority to sign in at, with the provider azure-workload. It needs
	// identityTenantId beside it. Default the authority that Freshet's own pod has.
	// +optional
	IdentityAuthorityHost *string `json:"identityAuthorityHost,omitempty"`

	// roleArn is the AWS role to assume, with the provider aws. Not together with identityOwner workload.
	// +optional
	RoleArn *string `json:"roleArn,omitempty"`

	// externalID is the external id to present when assuming roleArn, which it needs beside it.
	// +optional
	ExternalID *string `json:"externalID,omitempty"`

	// identityOwner is whose identity to use, with the provider aws: keda for that of Freshet's own pod, workload for the
	// role that the ServiceAccount of the scaled workload is annotated with. Default keda.
	// +kubebuilder:validation:Enum=keda;workload
	// +optional
	IdentityOwner *IdentityOwner `json:"identityOwner,omitempty"`
}

// AuthSecretTargetRef gives one parameter the value of a key of a Secret.
type AuthSecretTargetRef struct {
	// parameter is the name of the trigger's parameter that gets the value.
	Parameter string `json:"parameter"`

	// name is the name of the Secret that holds the value.
	Name string `json:"name"`

	// key is the key of the value in the Secret's data.
	Key string `json:"key"`
}

// AuthConfigMapTargetRef gives one parameter the value of a key of a ConfigMap.
type AuthConfigMapTargetRef struct {
	// parameter is the name of the trigger's parameter that gets the value.
	Parameter string `json:"parameter"`

	// name is the name of the ConfigMap that holds the value.
	Name string `json:"name"`

	// key is the key of the value in the ConfigMap's data.
	Key string `json:"key"`
}

// AuthEnvironment gives one parameter the value of an environment variable of the workload.
type AuthEnvironment struct {
	// parameter is the name of the trigger's parameter that gets the value.
	Parameter string `json:"parameter"`

	// name is the name of the environment variable.
	Name string `json:"name"`

	// containerName is the container that has the variable. Default the container that envSourceContainerName names, or
	// else the first one of the pod template.
	// +optional
	ContainerName string `json:"containerName,omitempty"`
}

// BoundServiceAccountToken gives one parameter a short-lived token of a ServiceAccount.
type BoundServiceAccountToken struct {
	// parameter is the name of the trigger's parameter that gets the token.
	Parameter string `json:"parameter"`

	// serviceAccountName is the ServiceAccount to request a token for.
	ServiceAccountName string `json:"serviceAccountName"`
}
