package azure

import (
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/freshet-io/freshet/scalers"
)

// SetCredentials replaces how identities sign in.
func SetCredentials(of func(scalers.Identity) (azcore.TokenCredential, error)) { credentialOf = of }
