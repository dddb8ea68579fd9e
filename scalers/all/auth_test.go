package all_test

import (
	"strings"
	"testing"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/auth/authtest"
	"github.com/freshet-io/freshet/scalers/conn"
)

// TestAuthentications: this build has every source and every cloud.
func TestAuthentications(t *testing.T) {
	for field, spec := range map[string]kedav1alpha1.TriggerAuthenticationSpec{
		"hashiCorpVault":   {HashiCorpVault: &kedav1alpha1.HashiCorpVault{}},
		"azureKeyVault":    {AzureKeyVault: &kedav1alpha1.AzureKeyVault{}},
		"gcpSecretManager": {GCPSecretManager: &kedav1alpha1.GCPSecretManager{}},
		"awsSecretManager": {AwsSecretManager: &kedav1alpha1.AwsSecretManager{}},
	} {
		if _, err := authtest.New(t).Resolve(spec); err == nil || strings.Contains(err.Error(), "leaves out") {
			t.Errorf("%s: got %v, want what the field lacks", field, err)
		}
	}
	for _, provider := range []string{conn.AWS, conn.AzureWorkload, conn.GCP} {
		if err := (conn.SignerConfig{Provider: provider}).Validate(); err != nil {
			t.Error(err)
		}
	}
}
