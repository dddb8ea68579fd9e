package external_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	_ "github.com/freshet-io/freshet/scalers/external"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/poll"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

type m = map[string]string

// metric is one of an object.
type metric = servers.ExternalMetric

func of(name string, target, value float64) metric {
	return metric{Name: name, Target: target, Value: value}
}

// patience bounds how long a test waits for what should take moments.
const patience = 20 * time.Second

// setting is where the trigger of an object stands.
func setting(object string) scalers.Setting {
	return scalers.Setting{Object: scalers.ObjectRef{Kind: "ScaledObject", Namespace: "shop", Name: object}}
}

// decode makes a trigger of the object.
func decode(t testing.TB, kind, object, address string, metadata, auth m) *scalers.Scaler {
	t.Helper()
	all := m{"scalerAddress": address}
	maps.Copy(all, metadata)
	s, notices, err := scalers.Decode(kind, param.Input{Metadata: all, Auth: auth}, setting(object))
	if err != nil {
		t.Fatal(err)
	}
	if len(notices) > 0 {
		t.Errorf("there are the notices %+v", notices)
	}
	return s
}

// read reads the scaler on a connection of its own.
func read(t testing.TB, s *scalers.Scaler) scalers.Result {
	t.Helper()
	return readOn(t, scalertest.Open(t, s), s)
}

func readOn(t testing.TB, conn scalers.Conn, s *scalers.Scaler) scalers.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out [1]scalers.Result
	if err := scalers.Read(ctx, conn, []*scalers.Scaler{s}, out[:]); err != nil {
		return scalers.Result{Err: err}
	}
	return out[0]
}

// set makes s the only trigger of the object, read on schedule too rarely for a
// test.
func set(engine *poll.Engine, object string, s *scalers.Scaler) *scalertest.Sink {
	l := &scalertest.Sink{}
	engine.Set(poll.Key{Kind: "ScaledObject", Name: object}, []poll.Member{{Scaler: s, Interval: time.Hour, Sink: l}})
	return l
}

func eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !check(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
