package azure_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestQueueCounts(t *testing.T) {
	t.Parallel()
	server := scalertest.Azurite(t, servers.AzuriteOptions{})
	for _, tc := range []struct {
		reason           string
		messages         int
		taken            int32
		all, visibleOnly string
	}{
		{"a queue may be empty", 0, 0, "0", "0"},
		{"messages count", 3, 0, "3", "3"},
		{"messages that someone works on are not visible", 3, 2, "3", "1"},
		{"nor need any be", 3, 3, "3", "0"},
		{"31 are counted by hand", 33, 2, "33", "31"},
		{"32 may be more", 33, 1, "33", "33"},
		{"and so may more", 40, 0, "40", "40"},
	} {
		queue := fmt.Sprintf("q-%d-%d", tc.messages, tc.taken)
		fill(t, server, queue, tc.messages)
		if tc.taken > 0 {
			take(t, server, queue, tc.taken)
		}
		all := trigger(t, queue, server.ConnectionString(), nil)
		visible := trigger(t, queue, server.ConnectionString(), m{"queueLengthStrategy": "visibleonly"})
		conn := scalertest.Open(t, all)
		want := []string{tc.all, tc.visibleOnly, tc.all, tc.visibleOnly}
		got := append(outcomes(read(t, conn, all, visible)), append(outcomes(read(t, conn, all)), outcomes(read(t, conn, visible))...)...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %d messages, %d taken: (-want +got)\n%s", tc.reason, tc.messages, tc.taken, diff)
		}
	}
}

func TestQueueConforms(t *testing.T) {
	server := scalertest.Azurite(t, servers.AzuriteOptions{})
	fillOrders := func() error { return fillQueue(t.Context(), server, "orders", 3) }
	if err := fillOrders(); err != nil {
		t.Fatal(err)
	}
	scalertest.Conform(t, scalertest.Conformance{
		Type: "azure-queue", Address: server.Addr(), Want: scalers.Number(3),
		At: func(address string) param.Input {
			return param.Input{
				Metadata: m{"queueName": "orders"},
				Auth:     m{"connection": servers.AzuriteConnection("http://" + address + "/" + servers.AzuriteAccount)},
			}
		},
		Stop: server.Kill,
		Start: func() error {
			if err := server.Start(t.Context()); err != nil {
				return err
			}
			return fillOrders()
		},
	})
}
