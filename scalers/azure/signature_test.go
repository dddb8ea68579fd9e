package azure_test

import (
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2/sas"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestQueueBySignature(t *testing.T) {
	t.Parallel()
	server := startTLS(t)
	fill(t, server, "orders", 4)
	fill(t, server, "returns", 1)
	key, err := azqueue.NewSharedKeyCredential(servers.AzuriteAccount, servers.AzuriteKey)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	ofAccount := func(permissions string, expires time.Time) string {
		values, err := sas.AccountSignatureValues{
			Protocol: sas.ProtocolHTTPS, Permissions: permissions, ResourceTypes: "sco", StartTime: now.Add(-time.Hour), ExpiryTime: expires,
		}.SignWithSharedKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return values.Encode()
	}
	ofQueue, err := sas.QueueSignatureValues{
		Protocol: sas.ProtocolHTTPS, Permissions: "r", QueueName: "orders", StartTime: now.Add(-time.Hour), ExpiryTime: now.Add(time.Hour),
	}.SignWithSharedKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ reason, queue, signature, want string }{
		{"reading is enough", "orders", ofAccount("r", now.Add(time.Hour)), "4"},
		{"it may be for one queue", "orders", ofQueue.Encode(), "4"},
		{"a question mark comes along when it is copied", "orders", "?" + ofQueue.Encode(), "4"},
		{"it is for that queue alone", "returns", ofQueue.Encode(), "authentication"},
		{"reading must be allowed", "orders", ofAccount("a", now.Add(time.Hour)), "authentication"},
		{"it expires", "orders", ofAccount("r", now.Add(-time.Minute)), "authentication"},
		{"it is not to be changed", "orders", strings.Replace(ofAccount("r", now.Add(time.Hour)), "sig=", "sig=A", 1), "authentication"},
	} {
		for _, strategy := range []string{"all", "visibleonly"} {
			s := trigger(t, tc.queue, "QueueEndpoint="+server.Endpoint()+";SharedAccessSignature="+tc.signature, m{"queueLengthStrategy": strategy})
			r := read(t, scalertest.Open(t, s), s)[0]
			if got := outcomes([]scalers.Result{r})[0]; got != tc.want {
				t.Errorf("%s: %s reads as %s, want %s: %v", tc.reason, strategy, got, tc.want, r.Err)
			}
			if _, signature, _ := strings.Cut(tc.signature, "sig="); r.Err != nil && strings.Contains(r.Err.Error(), signature) {
				t.Errorf("%s: the error tells the signature: %v", tc.reason, r.Err)
			}
		}
	}
	s := trigger(t, "orders", "QueueEndpoint=https://127.0.0.1:1;SharedAccessSignature="+ofQueue.Encode(), nil)
	r := read(t, scalertest.Open(t, s), s)[0]
	if r.Err == nil || strings.Contains(r.Err.Error(), "sig") {
		t.Errorf("a server that is not there is read as %+v", r)
	}
}
