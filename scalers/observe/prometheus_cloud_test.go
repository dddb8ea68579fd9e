package observe_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
)

// stamp signs with what it was told to sign for.
type stamp struct{ c conn.SignerConfig }

func (s stamp) Sign(_ context.Context, r *http.Request) error {
	r.Header.Set("Authorization", strings.Join(strings.Fields(fmt.Sprint(s.c.Provider, " ", s.c.Identity.ID, s.c.Identity.RoleARN,
		" ", s.c.Scope, " ", s.c.AWS.Service, " ", s.c.AWS.Region, " ", s.c.AWS.AccessKeyID, " ", s.c.Credentials.Empty(), " ", r.URL.Path)), " "))
	return nil
}

func init() {
	for _, provider := range []string{conn.AWS, conn.GCP, conn.AzureWorkload} {
		conn.RegisterSigner(provider, func(c conn.SignerConfig) (conn.Signer, error) { return stamp{c}, nil })
	}
}

const googleKey = `{"type": "service_account", "private_key": "S3NT1N3L"}`

func TestPrometheusOfClouds(t *testing.T) {
	aws, gcp := scalers.Identity{Provider: "aws", RoleARN: "arn:shop"}, scalers.Identity{Provider: "gcp"}
	azure := scalers.Identity{Provider: "azure-workload", ID: "shop"}
	key := m{"awsAccessKeyID": "AKID", "awsSecretAccessKey": "S3NT1N3L"}
	const path = "/api/v1/query"
	for name, tc := range map[string]struct {
		identity       scalers.Identity
		metadata, auth m
		want           string // the signature, or "fault: " and a part of it
	}{
		"none":                    {scalers.Identity{}, nil, nil, ""},
		"azure":                   {azure, nil, nil, "azure-workload shop https://prometheus.monitor.azure.com/.default true " + path},
		"azure, government":       {azure, m{"cloud": "AZUREUSGOVERNMENTCLOUD"}, nil, "azure-workload shop https://prometheus.monitor.azure.us/.default true " + path},
		"azure, China":            {azure, m{"cloud": "AzureChinaCloud"}, nil, "azure-workload shop https://prometheus.monitor.azure.cn/.default true " + path},
		"azure, private":          {azure, m{"cloud": "Private", "azureManagedPrometheusResourceURL": "https://p.airgap/.default"}, nil, "azure-workload shop https://p.airgap/.default true " + path},
		"azure, private, bare":    {azure, m{"cloud": "private", "azureManagedPrometheusResourceURL": "https://p.airgap/"}, nil, "azure-workload shop https://p.airgap/.default true " + path},
		"azure, private, nothing": {azure, m{"cloud": "Private"}, nil, "fault: azureManagedPrometheusResourceURL"},
		"azure, elsewhere":        {azure, m{"cloud": "Moon"}, nil, "fault: AzureChinaCloud"},
		"azure and modes":         {azure, m{"authModes": "bearer"}, m{"bearerToken": "t"}, "fault: authModes"},
		"gcp":                     {gcp, nil, nil, "gcp https://www.googleapis.com/auth/monitoring.read true " + path},
		"gcp by key":              {scalers.Identity{}, nil, m{"GoogleApplicationCredentials": googleKey}, "gcp https://www.googleapis.com/auth/monitoring.read false " + path},
		"gcp by variable":         {scalers.Identity{}, m{"credentialsFromEnv": "GOOGLE"}, nil, "gcp https://www.googleapis.com/auth/monitoring.read false " + path},
		"gcp by file":             {scalers.Identity{}, m{"credentialsFromEnvFile": "GOOGLE"}, nil, "fault: credentialsFromEnvFile"},
		"gcp by garbage":          {scalers.Identity{}, nil, m{"GoogleApplicationCredentials": "S3NT1N3L"}, "fault: GoogleApplicationCredentials"},
		"gcp and tls":             {gcp, m{"authModes": "tls"}, m{"cert": "c", "key": "k"}, "fault: authModes"},
		"aws":                     {aws, m{"awsRegion": "eu-west-1"}, nil, "aws arn:shop aps eu-west-1 true " + path},
		"aws, region elsewhere":   {aws, nil, m{"awsRegion": "eu-west-1"}, "aws arn:shop aps eu-west-1 true " + path},
		"aws by key":              {scalers.Identity{}, m{"awsRegion": "r"}, key, "aws aps r AKID true " + path},
		"aws by variables":        {scalers.Identity{}, m{"awsRegion": "r", "awsAccessKeyIDFromEnv": "ID", "awsSecretAccessKeyFromEnv": "KEY"}, nil, "aws aps r AKENV true " + path},
		"aws by role":             {scalers.Identity{}, m{"awsRegion": "r"}, m{"awsRoleArn": "arn:x"}, "aws arn:x aps r true " + path},
		"aws, the operator's":     {scalers.Identity{}, m{"awsRegion": "r", "identityOwner": "operator"}, nil, "aws aps r true " + path},
		"aws without a region":    {aws, nil, nil, "fault: awsRegion"},
		"aws key and basic":       {scalers.Identity{}, m{"awsRegion": "r", "authModes": "basic"}, m{"awsAccessKeyID": "AKID", "awsSecretAccessKey": "S3NT1N3L", "username": "u"}, "fault: authModes"},
		"aws key and another":     {scalers.Identity{}, m{"awsRegion": "r", "authModes": "custom"}, m{"awsAccessKeyID": "AKID", "awsSecretAccessKey": "S3NT1N3L", "customAuthHeader": "X-A", "customAuthValue": "v"}, "aws aps r AKID true " + path},
		"a region alone":          {scalers.Identity{}, m{"awsRegion": "r"}, nil, ""},
		"two clouds":              {scalers.Identity{}, m{"awsRegion": "r"}, m{"awsAccessKeyID": "AKID", "awsSecretAccessKey": "S3NT1N3L", "GoogleApplicationCredentials": googleKey}, "fault: one cloud"},
		"two clouds, one a pod's": {gcp, m{"awsRegion": "r"}, key, "gcp https://www.googleapis.com/auth/monitoring.read true " + path},
		"unknown":                 {scalers.Identity{Provider: "moon"}, nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, 200, "application/json", `{"status":"success","data":{"resultType":"scalar","result":[1,"5"]}}`)
			s, _, err := scalers.Decode("prometheus", param.Input{
				Metadata: promMetadata(server.URL, "up", tc.metadata), Auth: tc.auth,
				Env: m{"GOOGLE": googleKey, "ID": "AKENV", "KEY": "S3NT1N3L"},
			}, scalers.Setting{Identity: tc.identity})
			if strings.Contains(fmt.Sprintf("%v %+v", err, s), "S3NT1N3L") {
				t.Errorf("the secret can be read in %v or %+v", err, s)
			}
			if want, bad := strings.CutPrefix(tc.want, "fault: "); bad {
				if err == nil || scalers.ClassOf(err) != scalers.Configuration || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want a fault with %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r := read(t, s); outcome(r) != "5" {
				t.Fatal(r.Err)
			}
			if got := server.last.Load().Header.Get("Authorization"); got != tc.want {
				t.Errorf("signed with %q, want %q", got, tc.want)
			}
		})
	}
}

// Whoever asks as somebody else asks on another connection.
func TestPrometheusIdentityIsOfTheSource(t *testing.T) {
	of := func(identity scalers.Identity) *scalers.Scaler {
		return decode(t, "prometheus", param.Input{Metadata: promMetadata("http://h", "up", m{"awsRegion": "r"})}, scalers.Setting{Identity: identity})
	}
	a, b := of(scalers.Identity{Provider: "aws", RoleARN: "a"}), of(scalers.Identity{Provider: "aws", RoleARN: "b"})
	if a.Source.Fingerprint == b.Source.Fingerprint || a.Query == b.Query {
		t.Error("two roles share a connection or a read")
	}
}
