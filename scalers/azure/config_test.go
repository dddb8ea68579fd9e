package azure_test

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

const (
	key    = "c2hvcC1rZXktb2YtdGhlLXRlc3Q="
	signed = "sv=2024-11-04&ss=q&sp=r&sig=c2lnbmF0dXJl%3D"
	shop   = "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=" + key + ";EndpointSuffix=core.windows.net"
)

var signsIn = scalers.Identity{Provider: "azure-workload", ID: "good"}

func TestQueueParameterFaults(t *testing.T) {
	t.Parallel()
	none := scalers.Identity{}
	for name, tc := range map[string]struct {
		reason     string
		connection string
		metadata   m
		id         scalers.Identity
		names      []string
	}{
		"nothing":               {"a queue has a name", shop, m{"queueName": ""}, none, []string{"queueName is missing"}},
		"length 0":              {"the target divides", shop, m{"queueLength": "0"}, none, []string{"queueLength", "at least 1"}},
		"length negative":       {"the target divides", shop, m{"queueLength": "-5"}, none, []string{"queueLength", "at least 1"}},
		"length text":           {"the target is a number", shop, m{"queueLength": "five"}, none, []string{"queueLength", "five"}},
		"activation text":       {"the activation is a number", shop, m{"activationQueueLength": "x"}, none, []string{"activationQueueLength"}},
		"strategy":              {"there are two", shop, m{"queueLengthStrategy": "visibleOnly"}, none, []string{"queueLengthStrategy", "all, visibleonly"}},
		"name upper case":       {"the service refuses it", shop, m{"queueName": "Orders"}, none, []string{"queueName", "Orders"}},
		"name short":            {"the service refuses it", shop, m{"queueName": "ab"}, none, []string{"queueName", "3 to 63"}},
		"name long":             {"the service refuses it", shop, m{"queueName": strings.Repeat("a", 64)}, none, []string{"queueName", "3 to 63"}},
		"name of a path":        {"it stays in its account", shop, m{"queueName": "../x"}, none, []string{"queueName"}},
		"name with hyphens":     {"the service refuses it", shop, m{"queueName": "a--b"}, none, []string{"queueName"}},
		"no connection":         {"one is needed", "", nil, none, []string{"connection is missing", "accountName"}},
		"account alone":         {"it has no key", "", m{"accountName": "shop"}, none, []string{"connection is missing", "azure-workload"}},
		"cloud":                 {"there are four", shop, m{"cloud": "AzureGermanCloud"}, none, []string{"cloud", "AzureGermanCloud", "Private"}},
		"cloud Private":         {"it has no domain of its own", shop, m{"cloud": "Private"}, none, []string{"endpointSuffix is missing"}},
		"suffix with a path":    {"a token goes to no other place", shop, m{"cloud": "Private", "endpointSuffix": "a.b/c"}, none, []string{"endpointSuffix", "a.b/c"}},
		"no account":            {"the identity reads some account", shop, nil, signsIn, []string{"accountName is missing"}},
		"account with a path":   {"a token goes to no other place", "", m{"accountName": "evil.com/"}, signsIn, []string{"accountName", "evil.com/"}},
		"account with a user":   {"a token goes to no other place", "", m{"accountName": "a@b"}, signsIn, []string{"accountName", "a@b"}},
		"identity, Private":     {"it has no domain of its own", "", m{"accountName": "shop", "cloud": "private"}, signsIn, []string{"endpointSuffix is missing"}},
		"identity of AWS":       {"it does not sign in to Azure", shop, nil, scalers.Identity{Provider: "aws"}, []string{"identity aws", "azure-workload"}},
		"identity of GCP":       {"it does not sign in to Azure", shop, nil, scalers.Identity{Provider: "gcp"}, []string{"identity gcp", "azure-workload"}},
		"all, with connection":  {"every fault is told", "x", m{"queueName": "X", "cloud": "y"}, none, []string{"queueName", "cloud", "connection"}},
		"all, with an identity": {"every fault is told", "x", m{"queueName": "X", "cloud": "Private"}, signsIn, []string{"queueName", "accountName", "endpointSuffix"}},
		"all, another identity": {"every fault is told", "x", m{"queueName": "X"}, scalers.Identity{Provider: "gcp"}, []string{"queueName", "identity gcp"}},
	} {
		t.Run(name, func(t *testing.T) {
			metadata := m{"queueName": "orders"}
			for k, v := range tc.metadata {
				metadata[k] = v
			}
			s, err := decode(metadata["queueName"], tc.connection, metadata, tc.id)
			if err == nil {
				t.Fatalf("%s: it decodes as %+v", tc.reason, s)
			}
			checkFault(t, tc.reason, err, tc.names)
		})
	}
}

// checkFault wants an error of the configuration, of one line, with the names.
func checkFault(t *testing.T, reason string, err error, names []string) {
	t.Helper()
	if class := scalers.ClassOf(err); class != scalers.Configuration {
		t.Errorf("%s: the error is of class %s", reason, class)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: the error is more than a line: %q", reason, err)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error does not name %s: %v", reason, name, err)
		}
	}
}

func TestConnectionStringFaults(t *testing.T) {
	t.Parallel()
	const secret = "S3NT1N3L"
	for name, tc := range map[string]struct {
		connection string
		names      []string
	}{
		"a word":              {secret, []string{"name=value"}},
		"an address":          {"https://" + secret + ".queue.core.windows.net", []string{"name=value"}},
		"a part without name": {"AccountName=shop;=" + secret, []string{"name=value"}},
		"separated by commas": {"AccountName=shop,AccountKey=" + secret, []string{"AccountName", "AccountKey"}},
		"no endpoint":         {"AccountKey=" + secret, []string{"QueueEndpoint or AccountName", "AccountKey and lacks AccountName"}},
		"blobs alone":         {"BlobEndpoint=https://shop.blob.core.windows.net;SharedAccessSignature=" + signed, []string{"BlobEndpoint", "QueueEndpoint or AccountName"}},
		"tables alone":        {"TableEndpoint=https://x;AccountKey=" + secret, []string{"TableEndpoint", "QueueEndpoint or AccountName"}},
		"no credentials":      {"AccountName=shop", []string{"AccountKey", "SharedAccessSignature"}},
		"key of nobody":       {"QueueEndpoint=https://x/;AccountKey=" + key, []string{"lacks AccountName"}},
		"key not base64":      {"AccountName=shop;AccountKey=" + secret + "!", []string{"AccountKey", "base64"}},
		"key cut off":         {"AccountName=shop;AccountKey=" + secret + "A", []string{"AccountKey", "base64"}},
		"signature garbled":   {"AccountName=shop;SharedAccessSignature=sig=%" + secret, []string{"SharedAccessSignature"}},
		"signature missing":   {"AccountName=shop;SharedAccessSignature=sv=" + secret, []string{"SharedAccessSignature", "sig"}},
		"protocol":            {"AccountName=shop;AccountKey=" + key + ";DefaultEndpointsProtocol=ftp", []string{"DefaultEndpointsProtocol"}},
		"suffix":              {"AccountName=shop;AccountKey=" + key + ";EndpointSuffix=a/" + secret, []string{"EndpointSuffix"}},
		"name":                {"AccountName=a/" + secret + ";AccountKey=" + key, []string{"AccountName"}},
		"endpoint":            {"QueueEndpoint=shop.queue.core.windows.net;SharedAccessSignature=" + signed, []string{"QueueEndpoint", "https://"}},
		"endpoint with query": {"QueueEndpoint=https://x/?sig=" + secret + ";SharedAccessSignature=" + signed, []string{"QueueEndpoint"}},
		"endpoint with user":  {"QueueEndpoint=https://u:" + secret + "@x;SharedAccessSignature=" + signed, []string{"QueueEndpoint"}},
		"emulator's host":     {"UseDevelopmentStorage=true;DevelopmentStorageProxyUri=azurite", []string{"DevelopmentStorageProxyUri"}},
		"several":             {"AccountName=a b;DefaultEndpointsProtocol=x;EndpointSuffix=/;AccountKey=!", []string{"DefaultEndpointsProtocol", "AccountName", "EndpointSuffix", "AccountKey"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := decode("orders", tc.connection, nil, scalers.Identity{})
			if err == nil {
				t.Fatalf("it decodes as %+v", s)
			}
			checkFault(t, name, err, tc.names)
			for _, hidden := range []string{secret, key, signed, "c2lnbmF0dXJl"} {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("the error tells a secret: %v", err)
				}
			}
		})
	}
}

// What the library reads, we read alike; what it does not, we say.
func TestConnectionStringsNameSources(t *testing.T) {
	t.Parallel()
	const public = "https://shop.queue.core.windows.net"
	for connection, want := range map[string]string{
		shop:                                 public,
		"AccountName=shop;AccountKey=" + key: public,
		"AccountName=shop;AccountKey=" + key + ";;":                                                                   public,
		"AccountName=shop;AccountKey=" + key + ";EndpointSuffix=core.chinacloudapi.cn":                                "https://shop.queue.core.chinacloudapi.cn",
		"AccountName=shop;AccountKey=" + key + ";DefaultEndpointsProtocol=http":                                       "http://shop.queue.core.windows.net",
		"AccountName=shop;AccountKey=" + key + ";QueueEndpoint=http://azurite:10001/shop":                             "http://azurite:10001/shop",
		"AccountName=shop;AccountKey=" + key + ";QueueEndpoint=http://azurite:10001/shop/":                            "http://azurite:10001/shop",
		"AccountName=shop;AccountKey=" + key + ";BlobEndpoint=https://shop.blob.core.windows.net":                     public,
		"BlobEndpoint=https://b;QueueEndpoint=https://shop.queue.core.windows.net;AccountName=shop;AccountKey=" + key: public,
	} {
		service, err := azqueue.NewServiceClientFromConnectionString(connection, nil)
		if err != nil || strings.TrimSuffix(service.URL(), "/") != want {
			t.Errorf("%s: the library reads %v, %v; want %s", connection, service, err, want)
		}
		if got := trigger(t, "orders", connection, nil).Source.Name; got != want {
			t.Errorf("%s: got %s, want %s", connection, got, want)
		}
	}
	for connection, want := range map[string]string{
		"QueueEndpoint=https://shop.queue.core.windows.net;SharedAccessSignature=" + signed:   public,
		"QueueEndpoint=https://Shop.Queue.core.windows.net/;SharedAccessSignature=?" + signed: public,
		" accountname = shop ; accountkey = " + key + " ;\n":                                  public,
		"AccountName=shop;SharedAccessSignature=" + signed:                                    public,
		"UseDevelopmentStorage=true":                                                          "http://127.0.0.1:10001/" + servers.AzuriteAccount,
		"UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite.default.svc/":   "http://azurite.default.svc:10001/" + servers.AzuriteAccount,
	} {
		if got := trigger(t, "orders", connection, nil).Source.Name; got != want {
			t.Errorf("%s: got %s, want %s", connection, got, want)
		}
	}
}

func TestQueueSources(t *testing.T) {
	t.Parallel()
	base := trigger(t, "orders", shop, nil)
	for name, other := range map[string]*scalers.Scaler{
		"another queue":       trigger(t, "returns", shop, nil),
		"another strategy":    trigger(t, "orders", shop, m{"queueLengthStrategy": "visibleonly"}),
		"another target":      trigger(t, "orders", shop, m{"queueLength": "9"}),
		"a cloud":             trigger(t, "orders", shop, m{"cloud": "AzureChinaCloud"}),
		"another order":       trigger(t, "orders", "AccountKey="+key+";AccountName=shop", nil),
		"an endpoint as such": trigger(t, "orders", "AccountKey="+key+";AccountName=shop;QueueEndpoint=https://shop.queue.core.windows.net/", nil),
	} {
		if other.Source.Fingerprint != base.Source.Fingerprint {
			t.Errorf("%s makes another source", name)
		}
	}
	identity, err := decode("orders", shop, m{"accountName": "shop"}, signsIn)
	if err != nil {
		t.Fatal(err)
	}
	somebody, err := decode("orders", "", m{"accountName": "shop"}, scalers.Identity{Provider: "azure-workload", ID: "else"})
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]*scalers.Scaler{
		"another account": trigger(t, "orders", strings.Replace(shop, "=shop", "=store", 1), nil),
		"another key":     trigger(t, "orders", strings.Replace(shop, key, "a2V5", 1), nil),
		"a signature":     trigger(t, "orders", "AccountName=shop;SharedAccessSignature="+signed, nil),
		"an identity":     identity,
		"somebody else":   somebody,
	} {
		if other.Source.Fingerprint == base.Source.Fingerprint || other.Fingerprint == base.Fingerprint {
			t.Errorf("%s makes no other source", name)
		}
	}
	if identity.Source.Fingerprint == somebody.Source.Fingerprint {
		t.Error("two identities are one source")
	}
	alone, err := decode("orders", "", m{"accountName": "shop"}, signsIn)
	if err != nil || alone.Source.Fingerprint != identity.Source.Fingerprint {
		t.Errorf("a connection makes another source beside an identity (%v)", err)
	}
}

func TestQueueClouds(t *testing.T) {
	t.Parallel()
	for cloud, want := range map[string]string{
		"":                       "https://shop.queue.core.windows.net",
		"AzurePublicCloud":       "https://shop.queue.core.windows.net",
		"AzureUSGovernmentCloud": "https://shop.queue.core.usgovcloudapi.net",
		"AzureChinaCloud":        "https://shop.queue.core.chinacloudapi.cn",
		"azurechinacloud":        "https://shop.queue.core.chinacloudapi.cn",
		"Private":                "https://shop.queue.local.azurestack.external",
		"private":                "https://shop.queue.local.azurestack.external",
	} {
		s, err := decode("orders", "", m{"accountName": "shop", "cloud": cloud, "endpointSuffix": "queue.local.azurestack.external"}, signsIn)
		if err != nil || s.Source.Name != want {
			t.Errorf("cloud %q: got %v, %v; want %s", cloud, s, err, want)
		}
	}
}

func TestQueueTargetAndStem(t *testing.T) {
	t.Parallel()
	s := trigger(t, "orders", shop, nil)
	got := []any{s.Target, s.Activation, scalers.MetricName(2, s.Stem)}
	if diff := cmp.Diff([]any{5.0, 0.0, "s2-azure-queue-orders"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	s = trigger(t, "orders", shop, m{"queueLength": "20", "activationQueueLength": "7"})
	if s.Target != 20 || s.Activation != 7 {
		t.Errorf("target %v, activation %v", s.Target, s.Activation)
	}
}

func TestConnectionComesFromSeveralPlaces(t *testing.T) {
	t.Parallel()
	other := strings.Replace(shop, "=shop", "=store", 1)
	for name, in := range map[string]param.Input{
		"authentication":      {Metadata: m{"connection": other}, Auth: m{"connection": shop}},
		"metadata":            {Metadata: m{"connection": shop, "connectionFromEnv": "QUEUE"}, Env: m{"QUEUE": other}},
		"variable":            {Metadata: m{"connectionFromEnv": "QUEUE"}, Env: m{"QUEUE": shop}},
		"no identity by name": {Metadata: m{"connection": shop}},
	} {
		in.Metadata["queueName"] = "orders"
		s, notices, err := scalers.Decode("azure-queue", in, scalers.Setting{Identity: scalers.Identity{Provider: "none"}})
		if err != nil || len(notices) > 0 || s.Source.Name != "https://shop.queue.core.windows.net" {
			t.Errorf("%s: got %v, %v, notices %v", name, s, err, notices)
		}
	}
}
