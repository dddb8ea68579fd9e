package queue_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

func TestRabbitMQCountsOverBothProtocols(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.queue("empty", 0)
	w.queue("orders", 7)
	w.queue("taken", 5)
	w.take("taken", 2)
	w.settled(3, func(q m) bool {
		return q["name"] == "empty" || q["messages"] != "0" && (q["name"] != "taken" || q["messages_ready"] == "3")
	})
	for _, tc := range []struct {
		reason, host string
		metadata     m
		want         []string
	}{
		{"over AMQP ready messages are counted", w.amqp(), nil, []string{"0", "7", "3", "configuration"}},
		{"over HTTP all are", w.http(), nil, []string{"0", "7", "5", "configuration"}},
		{"or those that are ready", w.http(), m{"excludeUnacknowledged": "true"}, []string{"0", "7", "3", "configuration"}},
	} {
		names := []string{"empty", "orders", "taken", "missing"}
		batch := make([]*scalers.Scaler, len(names))
		for i, name := range names {
			batch[i] = trigger(t, tc.host, name, tc.metadata, nil)
		}
		conn := scalertest.Open(t, batch[0])
		for round := range 2 {
			out, err := readOn(t, conn, batch...)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, outcomes(out)); diff != "" {
				t.Errorf("%s, round %d: (-want +got)\n%s", tc.reason, round, diff)
			}
			for i, name := range names {
				if err := out[i].Err; err != nil && (!strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), w.vhost)) {
					t.Errorf("%s: the error does not name queue and virtual host: %v", tc.reason, err)
				}
			}
		}
		for i, s := range batch { // and each alone
			if got := outcome(read(t, s)); got != tc.want[i] {
				t.Errorf("%s: %s alone is read as %s, want %s", tc.reason, names[i], got, tc.want[i])
			}
		}
	}
}
