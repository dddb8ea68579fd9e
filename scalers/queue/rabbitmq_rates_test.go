package queue_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// TestRabbitMQRates reads every mode of a queue that is published to and
// consumed from, of one that nobody consumes from, and of one where nothing
// happens.
func TestRabbitMQRates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"busy", "stuck", "still"} {
		w.queue(name, 0)
	}
	deliveries, err := w.channel.Consume("busy", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var traffic sync.WaitGroup
	defer traffic.Wait()
	defer stop()
	traffic.Go(func() {
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-tick.C:
				for _, queue := range []string{"busy", "stuck"} {
					_ = w.channel.PublishWithContext(ctx, "", queue, false, false, amqp.Publishing{})
				}
			case <-deliveries:
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	})
	modes := []string{"MessageRate", "DeliverGetRate", "PublishedToDeliveredRatio", "ExpectedQueueConsumptionTime"}
	var batch []*scalers.Scaler
	for _, queue := range []string{"busy", "stuck", "still"} {
		for _, mode := range modes {
			batch = append(batch, trigger(t, w.http(), queue, m{"mode": mode, "value": "1", "activationValue": "7"}, nil))
		}
	}
	conn := scalertest.Open(t, batch[0])
	stuck := scalers.Value{Metric: 7, Activity: math.Nextafter(7, 8)}
	checks := map[string]func(scalers.Value) bool{
		"busy MessageRate":                   func(v scalers.Value) bool { return v.Metric > 5 && v.Metric < 200 && v.Activity >= v.Metric },
		"busy DeliverGetRate":                func(v scalers.Value) bool { return v.Metric > 5 && v.Metric < 200 && v.Activity == v.Metric },
		"busy PublishedToDeliveredRatio":     func(v scalers.Value) bool { return v.Metric > 0.2 && v.Metric < 5 && v.Activity == v.Metric },
		"busy ExpectedQueueConsumptionTime":  func(v scalers.Value) bool { return v.Metric > -1 && v.Metric < 10 },
		"stuck MessageRate":                  func(v scalers.Value) bool { return v.Metric > 5 && v.Activity >= v.Metric },
		"stuck DeliverGetRate":               func(v scalers.Value) bool { return v.Metric == 0 && v.Activity == 0 },
		"stuck PublishedToDeliveredRatio":    func(v scalers.Value) bool { return v.Metric == stuck.Metric && v.Activity == stuck.Activity },
		"stuck ExpectedQueueConsumptionTime": func(v scalers.Value) bool { return v.Metric == stuck.Metric && v.Activity == stuck.Activity },
		"still MessageRate":                  func(v scalers.Value) bool { return v.Metric == 0 && v.Activity == 0 },
		"still DeliverGetRate":               func(v scalers.Value) bool { return v.Metric == 0 && v.Activity == 0 },
		"still PublishedToDeliveredRatio":    func(v scalers.Value) bool { return v.Metric == 0 && v.Activity == 0 },
		"still ExpectedQueueConsumptionTime": func(v scalers.Value) bool { return v.Metric == 0 && v.Activity == 0 },
	}
	eventually(t, func() error {
		out, err := readOn(t, conn, batch...)
		if err != nil {
			return err
		}
		i := 0
		for _, queue := range []string{"busy", "stuck", "still"} {
			for _, mode := range modes {
				if r := out[i]; r.Err != nil || !checks[queue+" "+mode](r.Value) {
					return fmt.Errorf("%s of the %s queue is read as %+v, %w", mode, queue, r.Value, r.Err)
				}
				i++
			}
		}
		return nil
	})
}

// Where a server keeps no rates, a missing one is not 0.
func TestRabbitMQServerThatKeepsNoRates(t *testing.T) {
	t.Parallel()
	mode := "none"
	asked := 0
	a := serve(t, func(w http.ResponseWriter, path string, _ url.Values) {
		if strings.HasSuffix(path, "/api/overview") {
			asked++
			fmt.Fprintf(w, `{"rates_mode":%q}`, mode)
			return
		}
		fmt.Fprint(w, `{"name":"orders","messages":7}`)
	})
	s := trigger(t, a.URL+"/base/shop", "orders", m{"mode": "MessageRate", "value": "1"}, nil)
	wantClass(t, s, scalers.Configuration, "management.rates_mode")
	if r := read(t, trigger(t, a.URL+"/base/shop", "orders", nil, nil)); outcome(r) != "7" || asked != 1 {
		t.Errorf("messages are read as %s, %v; the overview was asked for %d times", outcome(r), r.Err, asked)
	}
	asked = 0
	batch := []*scalers.Scaler{s, trigger(t, a.URL+"/base/shop", "orders", m{"mode": "DeliverGetRate", "value": "1"}, nil)}
	if out, err := readOn(t, scalertest.Open(t, s), batch...); err != nil || strings.Join(outcomes(out), " ") != "configuration configuration" || asked != 1 {
		t.Errorf("read %v, %v; the overview was asked for %d times", outcomes(out), err, asked)
	}
	mode, asked = "basic", 0
	conn := scalertest.Open(t, s)
	for range 3 {
		if out, err := readOn(t, conn, s); err != nil || outcome(out[0]) != "0 and activity 7" {
			t.Errorf("read %v, %v", outcomes(out), err)
		}
	}
	if asked != 1 {
		t.Errorf("the overview was asked for %d times", asked)
	}
}
