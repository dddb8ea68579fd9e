package metricsadapter

import (
	"strconv"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"
)

// TestCallersAreToldApart: whatever authorization is told of a caller makes another one.
func TestCallersAreToldApart(t *testing.T) {
	users := []user.DefaultInfo{
		{}, {Name: "hpa"}, {UID: "hpa"}, {Name: "hp", UID: "a"}, {Name: "hpa", UID: "1"},
		{Name: "hpa", Groups: []string{"a"}}, {Name: "hpa", Groups: []string{"a", "b"}}, {Name: "hpa", Groups: []string{"ab"}},
		{Name: "hpa", Groups: []string{"a\x00b"}}, {Name: "hpa", Groups: []string{"a", ""}}, {Name: "hpa", Groups: []string{""}},
		{Name: "hpa", Extra: map[string][]string{"a": {"b"}}}, {Name: "hpa", Extra: map[string][]string{"a": {"b", "c"}}},
		{Name: "hpa", Extra: map[string][]string{"a": nil, "b": nil}}, {Name: "hpa", Extra: map[string][]string{"a": nil}},
		{Name: "hpa", Extra: map[string][]string{"a": {"b"}, "c": {"d"}}}, {Name: "hpa", Extra: map[string][]string{"a": {"b", "c", "d"}}},
	}
	seen := map[caller]user.DefaultInfo{}
	for _, u := range users {
		c := callerOf(&u)
		if other, ok := seen[c]; ok {
			t.Errorf("%+v is taken for %+v", u, other)
		}
		seen[c] = u
		again := user.DefaultInfo{Name: u.Name, UID: u.UID, Groups: append([]string{}, u.Groups...), Extra: u.Extra}
		for range 20 { // keys of a map come in any order
			if callerOf(&again) != c {
				t.Fatalf("%+v is not itself", u)
			}
		}
	}
}

// TestRightsEnd: a right is remembered for no longer than five minutes, and for most of them.
func TestRightsEnd(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	k := newRights(func() time.Time { return now })
	began := now
	hpa := callerOf(&user.DefaultInfo{Name: "hpa"})
	all := make([]right, 200)
	for i := range all {
		all[i] = metricQuery{namespace: "shop", object: "orders", metric: strconv.Itoa(i)}.by(hpa)
		k.given(all[i])
	}
	left := func() (n int) {
		for _, r := range all {
			if k.has(r) {
				n++
			}
		}
		return n
	}
	for _, tt := range []struct {
		after       time.Duration
		atLeast, at int
	}{{0, 200, 200}, {225 * time.Second, 199, 200}, {262 * time.Second, 60, 140}, {allowFor, 0, 0}} {
		now = began.Add(tt.after)
		if got := left(); got < tt.atLeast || got > tt.at {
			t.Errorf("after %s: %d rights are left, want %d to %d", tt.after, got, tt.atLeast, tt.at)
		}
	}
	for _, other := range []right{
		metricQuery{namespace: "shop", object: "orders", metric: "x"}.by(hpa),
		metricQuery{namespace: "shop", object: "other", metric: "0"}.by(hpa),
		metricQuery{namespace: "secret", object: "orders", metric: "0"}.by(hpa),
		metricQuery{namespace: "shop", object: "orders", metric: "0"}.by(callerOf(&user.DefaultInfo{Name: "eve"})),
	} {
		now = began
		if k.has(other) {
			t.Errorf("%+v was never given", other)
		}
	}
}

// TestRightsAreBounded: those that ended go, and never are there more than the bound.
func TestRightsAreBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	k := newRights(func() time.Time { return now })
	give := func(n int, prefix string) {
		for i := range n {
			k.given(right{namespace: prefix, metric: strconv.Itoa(i)})
			if len(k.until) > mostRights {
				t.Fatalf("%d rights are remembered", len(k.until))
			}
		}
	}
	give(50_000, "a")
	if got := len(k.until); got != 50_000 {
		t.Errorf("%d of 50,000 rights are remembered", got)
	}
	now = now.Add(allowFor)
	give(100_000, "b")
	if got := len(k.until); got != 100_000 {
		t.Errorf("%d rights are remembered of which 100,000 have not ended", got)
	}
	give(mostRights+mostRights/2, "c")
	if got := len(k.until); got < mostRights/2 {
		t.Errorf("only %d rights are left", got)
	}
}

func BenchmarkRights(b *testing.B) {
	k := newRights(time.Now)
	hpa := callerOf(&user.DefaultInfo{Name: "hpa", Groups: []string{"a", "b"}})
	all := make([]right, 10_000)
	for i := range all {
		all[i] = metricQuery{namespace: "shop", object: "orders-" + strconv.Itoa(i), metric: "s0-redis-orders"}.by(hpa)
		k.given(all[i])
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if !k.has(all[i%len(all)]) {
			b.Fatal("it is forgotten")
		}
	}
}
