package queue_test

import (
	"fmt"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// BenchmarkRead reads 500 queues of a real server in one call, over each
// protocol, and one by one over HTTP, which is what it costs to read each
// trigger by itself.
func BenchmarkRead(b *testing.B) {
	w := newWorld(b)
	w.many(500)
	for name, host := range map[string]string{"amqp": w.amqp(), "http": w.http()} {
		batch := make([]*scalers.Scaler, 500)
		for i := range batch {
			batch[i] = trigger(b, host, fmt.Sprintf("q%04d", i), nil, nil)
		}
		conn := scalertest.Open(b, batch[0])
		b.Run(name+"/together", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mustRead(b, conn, batch)
			}
		})
		b.Run(name+"/one-by-one", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range batch {
					mustRead(b, conn, batch[i:i+1])
				}
			}
		})
	}
}

func mustRead(b *testing.B, conn scalers.Conn, batch []*scalers.Scaler) {
	out, err := readOn(b, conn, batch...)
	for _, r := range out {
		if err != nil || r.Err != nil {
			b.Fatal(err, r.Err)
		}
	}
}
