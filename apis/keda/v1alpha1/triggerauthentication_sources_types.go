package v1alpha1

// VaultAuthentication names a way to sign in to HashiCorp Vault.
type VaultAuthentication string

const (
	// VaultAuthenticationToken signs in with a token.
	VaultAuthenticationToken VaultAuthentication = "token"
	// VaultAuthenticationKubernetes signs in with the token of a ServiceAccount.
	VaultAuthenticationKubernetes VaultAuthentication = "kubernetes"
)

// HashiCorpVault takes parameters from HashiCorp Vault.
type HashiCorpVault struct {
	// address is the URL of the Vault server.
	Address string `json:"address"`

	// authentication is how to sign in: token, by credential.token or the variable VAULT_TOKEN of Freshet's environment,
	// or kubernetes, by the token of a ServiceAccount, for which mount and role are needed.
	// +kubebuilder:validation:Enum=token;kubernetes
	Authentication VaultAuthentication `json:"authentication"`

	// secrets are the values to read.
	// +kubebuilder:validation:MinItems=1
	Secrets []VaultSecret `json:"secrets"`

	// namespace is the namespace of Vault Enterprise to read in. It is not a namespace of Kubernetes.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// credential is what to sign in with.
	// +optional
	Credential *VaultCredential `json:"credential,omitempty"`

	// role is the Vault role to sign in as, with the authentication kubernetes.
	// +optional
	Role string `json:"role,omitempty"`

	// mount is the path that the authentication kubernetes is mounted at in Vault.
	// +optional
	Mount string `json:"mount,omitempty"`
}

// VaultCredential is what to sign in to HashiCorp Vault with.
type VaultCredential struct {
	// token is the token of the authentication token. Default the variable VAULT_TOKEN of Freshet's environment.
	// +optional
	Token string `json:"token,omitempty"`

	// serviceAccount is the path of the file with the ServiceAccount token that the authentication kubernetes presents.
	// Default the token of Freshet's own pod.
	// +optional
	ServiceAccount string `json:"serviceAccount,omitempty"`

	// serviceAccountName is the ServiceAccount to request a token for, which the authentication kubernetes presents in
	// place of a token from a file.
	// +optional
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
}

// VaultSecretType names the engine of HashiCorp Vault that a secret is read from.
type VaultSecretType string

const (
	// VaultSecretTypeGeneric finds out whether the engine is KV version 1 or 2.
	VaultSecretTypeGeneric VaultSecretType = ""
	// VaultSecretTypeSecret is the KV engine, version 1.
	VaultSecretTypeSecret VaultSecretType = "secret"
	// VaultSecretTypeSecretV2 is the KV engine, version 2.
	VaultSecretTypeSecretV2 VaultSecretType = "secretV2"
	// VaultSecretTypePki is the PKI engine, which issues a certificate.
	VaultSecretTypePki VaultSecretType = "pki"
)

// VaultSecret gives one parameter a value from HashiCorp Vault.
type VaultSecret struct {
	// parameter is the name of the trigger's parameter that gets the value.
	Parameter string `json:"parameter"`

	// path is the path of the secret in Vault, for example "secret/data/queues".
	Path string `json:"path"`

	// key is the key of the value in the secret.
	Key string `json:"key"`

	// type is the engine that the secret is in: secret for KV version 1, secretV2 for KV version 2, pki to issue a
	// certificate, or empty to find out which version of KV it is. Default empty.
	// +kubebuilder:validation:Enum="";secretV2;secret;pki
	// +optional
	Type VaultSecretType `json:"type,omitempty"`

	// pkiData is what to ask for when a certificate is issued, with the type pki.
	// +optional
	PkiData *VaultPkiData `json:"pkiData,omitempty"`
}

// VaultPkiData is what to ask HashiCorp Vault for when it issues a certificate.
type VaultPkiData struct {
	// commonName is the common name of the certificate.
	// +optional
	CommonName string `json:"commonName,omitempty"`

	// altNames are further names of the certificate, separated by commas: DNS names or mail addresses.
	// +optional
	AltNames string `json:"altNames,omitempty"`

	// ipSans are the IP addresses of the certificate, separated by commas.
	// +optional
	IPSans string `json:"ipSans,omitempty"`

	// uriSans are the URIs of the certificate, separated by commas.
	// +optional
	URISans string `json:"uriSans,omitempty"`

	// otherSans are names of other kinds, separated by commas, each as oid;type:value.
	// +optional
	OtherSans string `json:"otherSans,omitempty"`

	// ttl is how long the certificate is valid, as a duration such as "24h". Default what the Vault role says.
	// +optional
	TTL string `json:"ttl,omitempty"`

	// format is the format of what Vault answers: pem, der or pem_bundle. Default pem.
	// +optional
	Format string `json:"format,omitempty"`
}

// AzureKeyVault takes parameters from Azure Key Vault. It signs in with podIdentity or with credentials.
type AzureKeyVault struct {
	// vaultUri is the URL of the vault, for example "https://queues.vault.azure.net".
	VaultURI string `json:"vaultUri"`

	// secrets are the values to read.
	// +kubebuilder:validation:MinItems=1
	Secrets []AzureKeyVaultSecret `json:"secrets"`

	// credentials is the Entra application to sign in as when there is no podIdentity.
	// +optional
	Credentials *AzureKeyVaultCredentials `json:"credentials,omitempty"`

	// podIdentity has this vault read by the identity of a pod, with the provider azure-workload.
	// +optional
	PodIdentity *AuthPodIdentity `json:"podIdentity,omitempty"`

	// cloud is the Azure cloud that the vault is in. Default the public one.
	// +optional
	Cloud *AzureKeyVaultCloudInfo `json:"cloud,omitempty"`
}

// AzureKeyVaultCredentials is an Entra application to sign in as.
type AzureKeyVaultCredentials struct {
	// clientId is the id of the application.
	ClientID string `json:"clientId"`

	// clientSecret says where the secret of the application is.
	ClientSecret CredentialSource `json:"clientSecret"`

	// tenantId is the id of the tenant that the application is in.
	TenantID string `json:"tenantId"`
}

// AzureKeyVaultSecret gives one parameter a value from Azure Key Vault.
type AzureKeyVaultSecret struct {
	// parameter is the name of the trigger's parameter that gets the value.
	Parameter string `json:"parameter"`

	// name is the name of the secret in the vault.
	Name string `json:"name"`

	// version is the version of the secret. Default the latest.
	// +optional
	Version string `json:"version,omitempty"`
}

// AzureKeyVaultCloudInfo is the Azure cloud that a vault is in.
type AzureKeyVaultCloudInfo struct {
	// type is AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud, or Private, which the two other fields describe.
	Type string `json:"type"`

	// keyVaultResourceURL is the resource that tokens for the vault are asked for, with the type Private.
	// +optional
	KeyVaultResourceURL string `json:"keyVaultResourceURL,omitempty"`

	// activeDirectoryEndpoint is the URL to sign in at, with the type Private.
	// +optional
	ActiveDirectoryEndpoint string `json:"activeDirectoryEndpoint,omitempty"`
}

// GCPSecretManager takes parameters from Google Cloud Secret Manager. It signs in with podIdentity or with credentials.
type GCPSecretManager struct {
	// secrets are the values to read.
	// +kubebuilder:validation:MinItems=1
	Secrets []GCPSecretManagerSecret `json:"secrets"`

	// credentials is the service account to sign in as when there is no podIdentity.
	// +optional
	Credentials *GCPCredentials `json:"credentials,omitempty"`

	// podIdentity has the secrets read by the identity of a pod, with the provider gcp.
	// +optional
	PodIdentity *AuthPodIdentity `json:"podIdentity,omitempty"`
}

// GCPCredentials is a service account of Google Cloud.
type GCPCredentials struct {
	// clientSecret says where the JSON key of the service account is.
	ClientSecret CredentialSource `json:"clientSecret"`
}

// GCPSecretManagerSecret gives one parameter a value from Google Cloud Secret Manager.
type GCPSecretManagerSecret struct {
	// parameter is the name of the trigger's parameter that gets the value.
	Parameter string `json:"parameter"`

	// id is the name of the secret.
	ID string `json:"id"`

	// version is the version of the secret. Default latest.
	// +optional
	Version string `json:"version,omitempty"`
}

// AwsSecretManager takes parameters from AWS Secrets Manager. It signs in with podIdentity or with credentials.
type AwsSecretManager struct {
	// secrets are the values to read.
	// +kubebuilder:validation:MinItems=1
	Secrets []AwsSecretManagerSecret `json:"secrets"`

	// credentials is the access key to sign in with when there is no podIdentity.
	// +optional
	Credentials *AwsSecretManagerCredentials `json:"credentials,omitempty"`

	// podIdentity has the secrets read by the identity of a pod, with the provider aws.
	// +optional
	PodIdentity *AuthPodIdentity `json:"podIdentity,omitempty"`

	// region is the AWS region that the secrets are in. Default the region that Freshet's environment names.
	// +optional
	Region string `json:"region,omitempty"`
}

// AwsSecretManagerCredentials is an access key of AWS.
type AwsSecretManagerCredentials struct {
	// accessKey says where the id of the access key is.
	AccessKey CredentialSource `json:"accessKey"`

	// accessSecretKey says where the secret of the access key is.
	AccessSecretKey CredentialSource `json:"accessSecretKey"`

	// accessToken says where the session token is that goes with a temporary access key.
	// +optional
	AccessToken *CredentialSource `json:"accessToken,omitempty"`
}

// AwsSecretManagerSecret gives one parameter a value from AWS Secrets Manager.
type AwsSecretManagerSecret struct {
	// parameter is the name of the trigger's parameter that gets the value.
	Parameter string `json:"parameter"`

	// name is the name or the ARN of the secret.
	Name string `json:"name"`

	// versionId is the unique id of the version to read. Default the version that versionStage names.
	// +optional
	VersionID string `json:"versionId,omitempty"`

	// versionStage is the label of the version to read. Default AWSCURRENT.
	// +optional
	VersionStage string `json:"versionStage,omitempty"`

	// secretKey is the key of the value in a secret that is a JSON object. Default the whole secret.
	// +optional
	SecretKey string `json:"secretKey,omitempty"`
}

// OAuth2Type names a grant of OAuth 2.0.
type OAuth2Type string

// OAuth2TypeClientCredentials is the grant in which a client asks for a token in its own name.
const OAuth2TypeClientCredentials OAuth2Type = "clientCredentials"

// OAuth2 is how to get a token from an OAuth 2.0 server.
type OAuth2 struct {
	// type is the grant to ask with. Only clientCredentials is known, which is the default.
	// +kubebuilder:validation:Enum=clientCredentials
	// +kubebuilder:default=clientCredentials
	Type OAuth2Type `json:"type"`

	// clientId is the id of the client.
	// +kubebuilder:validation:MinLength=1
	ClientID string `json:"clientId"`

	// clientSecret says where the secret of the client is.
	// +optional
	ClientSecret *CredentialSource `json:"clientSecret,omitempty"`

	// tokenUrl is the absolute URL, http or https, that gives the token.
	// +kubebuilder:validation:XValidation:rule="self.matches('(?i)^https?://[^/?#]')",message="write tokenUrl as an absolute URL, for example https://login.example.com/token"
	TokenURL string `json:"tokenUrl"`

	// scopes are the scopes to ask for.
	// +optional
	Scopes []string `json:"scopes,omitempty"`

	// tokenUrlParams are further form fields to send to tokenUrl, for example an audience.
	// +optional
	TokenURLParams map[string]string `json:"tokenUrlParams,omitempty"`
}

// CredentialSource says where a part of a credential is.
type CredentialSource struct {
	// valueFrom is the place of the value.
	ValueFrom ValueFromSecret `json:"valueFrom"`
}

// ValueFromSecret is the place of a value in a Secret.
type ValueFromSecret struct {
	// secretKeyRef is the Secret and the key in it.
	SecretKeyRef SecretKeyRef `json:"secretKeyRef"`
}

// SecretKeyRef is a key of a Secret.
type SecretKeyRef struct {
	// name is the name of the Secret.
	Name string `json:"name"`

	// key is the key of the value in the Secret's data.
	Key string `json:"key"`
}
