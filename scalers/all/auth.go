package all

// Where authentications take parameters from, and what signs in to clouds.
import (
	_ "github.com/freshet-io/freshet/scalers/auth/awssm"     // awsSecretManager
	_ "github.com/freshet-io/freshet/scalers/auth/azurekv"   // azureKeyVault
	_ "github.com/freshet-io/freshet/scalers/auth/gcpsm"     // gcpSecretManager
	_ "github.com/freshet-io/freshet/scalers/auth/vault"     // hashiCorpVault
	_ "github.com/freshet-io/freshet/scalers/identity/aws"   // AWS
	_ "github.com/freshet-io/freshet/scalers/identity/azure" // Azure
	_ "github.com/freshet-io/freshet/scalers/identity/gcp"   // Google Cloud
)
