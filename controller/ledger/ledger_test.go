package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/ledger"
	"github.com/freshet-io/freshet/scalers/poll"
)

var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.Local)

func key(n int) poll.Key {
	return poll.Key{Kind: "ScaledObject", Namespace: fmt.Sprintf("team-%d", n%50), Name: fmt.Sprintf("orders-%d", n)}
}

// decision is one as it is in practice.
func decision(by whyv1alpha1.Maker, at time.Time, from, to int32) *whyv1alpha1.Decision {
	return &whyv1alpha1.Decision{
		At: ledger.Second(at), By: by, Outcome: "ScaledUp", From: from, To: to, Why: fmt.Sprintf("s0-redis-orders asks for %d: 41 by 5 each is 8.2", to),
		Inputs: []whyv1alpha1.Input{{Metric: "s0-redis-orders", Value: new(41.5), AgeSeconds: 1.25, Target: 5, Asks: to, Active: true}},
	}
}

func digest(n int32) ledger.Digest { return ledger.NewDigest().Number(int64(n)) }

// TestKeeps: what is written comes back as it was, the newest first.
func TestKeeps(t *testing.T) {
	l := ledger.New(ledger.DefaultBounds())
	want := []whyv1alpha1.Decision{
		{At: ledger.Second(start), By: whyv1alpha1.MakerFreshet, Outcome: "Failing", From: 3, To: 3, Why: "it cannot be read – at all", Inputs: []whyv1alpha1.Input{
			{Metric: "s0-a", Error: "no answer", Failures: 7, StandIn: true, Total: true, Target: 0.001},
			{Metric: "s1-b", Value: new(-1.5), AgeSeconds: 90.5, Target: 1e9, Asks: 1 << 30, Active: true},
		}},
		*decision(whyv1alpha1.MakerHPA, start.Add(time.Minute), 3, 9),
		{At: ledger.Second(start.Add(time.Hour)), By: whyv1alpha1.MakerFreshet, Outcome: "Idle", Steps: []whyv1alpha1.Step{
			{Stage: "metric", Replicas: 7, Why: "s0-redis-orders asks for it"}, {Stage: "limit", Replicas: -7},
		}},
	}
	for i := range want {
		l.Write(key(1), digest(int32(i)), &want[i])
	}
	got, deleted := l.Of(key(1), start)
	if diff := cmp.Diff([]whyv1alpha1.Decision{want[2], want[1], want[0]}, got); diff != "" || !deleted.IsZero() {
		t.Errorf("deleted %v, -want +got\n%s", deleted, diff)
	}
	if last, ok := l.Last(key(1)); !ok || cmp.Diff(want[2], last) != "" {
		t.Errorf("the last one is %+v, %v", last, ok)
	}
	if none, _ := l.Of(key(2), start); none != nil {
		t.Errorf("of another object there are %v", none)
	}
}

// TestLongDecisions: sentences are cut, between characters, and nothing breaks what
// comes after them.
func TestLongDecisions(t *testing.T) {
	l := ledger.New(ledger.Bounds{Object: 1 << 20, Fleet: 1 << 30, Deleted: time.Hour, MostDeleted: 9})
	long := decision(whyv1alpha1.MakerHPA, start, 1, 2)
	long.Why = strings.Repeat("ä", 400) + "x"
	for range 300 {
		long.Inputs = append(long.Inputs, whyv1alpha1.Input{Metric: strings.Repeat("m", 200), Error: strings.Repeat("e", 900)})
	}
	l.Write(key(1), digest(1), long)
	l.Write(key(1), digest(2), decision(whyv1alpha1.MakerHPA, start, 2, 3))
	got, _ := l.Of(key(1), start)
	if len(got) != 2 || got[0].To != 3 || got[1].To != 2 || !strings.HasSuffix(got[1].Why, "ä…") || got[1].Inputs != nil {
		t.Errorf("there are %d: %.300v", len(got), got)
	}
}

// TestSame: the makers' decisions are told apart, and a deleted object has none.
func TestSame(t *testing.T) {
	l := ledger.New(ledger.DefaultBounds())
	l.Write(key(1), digest(1), decision(whyv1alpha1.MakerFreshet, start, 0, 1))
	l.Write(key(1), digest(2), decision(whyv1alpha1.MakerHPA, start, 1, 2))
	for _, tc := range []struct {
		by   whyv1alpha1.Maker
		n    int32
		want bool
	}{
		{whyv1alpha1.MakerFreshet, 1, true}, {whyv1alpha1.MakerHPA, 2, true}, {whyv1alpha1.MakerFreshet, 2, false}, {whyv1alpha1.MakerHPA, 1, false},
	} {
		if got := l.Same(key(1), tc.by, digest(tc.n)); got != tc.want {
			t.Errorf("decision %d of %s is the last: %v", tc.n, tc.by, got)
		}
	}
	l.Delete(key(1), decision(whyv1alpha1.MakerFreshet, start, 2, 2))
	if l.Same(key(1), whyv1alpha1.MakerHPA, digest(2)) {
		t.Error("a deleted object has a last decision")
	}
}

func TestDigest(t *testing.T) {
	seen := map[ledger.Digest]string{}
	for name, d := range map[string]ledger.Digest{
		"nothing": ledger.NewDigest(), "empty": ledger.NewDigest().Text(""), "a bc": ledger.NewDigest().Text("a").Text("bc"),
		"ab c": ledger.NewDigest().Text("ab").Text("c"), "list": ledger.NewDigest().Texts([]string{"a", "bc"}), "two lists": ledger.NewDigest().Texts([]string{"a"}).Texts([]string{"bc"}),
		"one": digest(1), "minus one": digest(-1),
	} {
		if other, ok := seen[d]; ok {
			t.Errorf("%s is as %s", name, other)
		}
		seen[d] = name
	}
}

// TestDeleted: what is known of a deleted object stays for its time, unless there
// are too many, and an object that is made anew goes on.
func TestDeleted(t *testing.T) {
	l := ledger.New(ledger.Bounds{Object: 2048, Fleet: 1 << 20, Deleted: time.Hour, MostDeleted: 2})
	for n := range 4 {
		l.Write(key(n), digest(1), decision(whyv1alpha1.MakerFreshet, start, 0, 1))
	}
	l.Delete(key(9), decision(whyv1alpha1.MakerFreshet, start, 0, 0)) // of which nothing is known
	for n := range 3 {
		l.Delete(key(n), decision(whyv1alpha1.MakerFreshet, start.Add(time.Duration(n)*time.Minute), 1, 1))
		l.Delete(key(n), decision(whyv1alpha1.MakerFreshet, start.Add(time.Hour), 1, 1)) // again
	}
	if diff := cmp.Diff([]poll.Key{key(1), key(2)}, l.Deleted(start.Add(3*time.Minute))); diff != "" {
		t.Errorf("of three of which two are kept: -want +got\n%s", diff)
	}
	got, deleted := l.Of(key(1), start.Add(3*time.Minute))
	if len(got) != 2 || !deleted.Equal(start.Add(time.Minute)) {
		t.Errorf("it was deleted at %v, with %d decisions", deleted, len(got))
	}
	l.Write(key(2), digest(5), decision(whyv1alpha1.MakerFreshet, start.Add(4*time.Minute), 0, 1))
	if all, deleted := l.Of(key(2), start.Add(5*time.Minute)); len(all) != 3 || !deleted.IsZero() {
		t.Errorf("made anew, it was deleted at %v, with %d decisions", deleted, len(all))
	}
	if got, _ := l.Of(key(1), start.Add(61*time.Minute)); got != nil || len(l.Deleted(start.Add(61*time.Minute))) != 0 {
		t.Errorf("after its time there are %v", got)
	}
}

// TestBounds: however much is written, no object has more than its share, the newest
// stay, and the fleet keeps its bound.
func TestBounds(t *testing.T) {
	bounds := ledger.Bounds{Object: 1500, Fleet: 40_000, Deleted: time.Hour, MostDeleted: 9}
	l := ledger.New(bounds)
	random := rand.New(rand.NewPCG(1, 2))
	last := map[int]int32{}
	for i := range 20_000 {
		n := random.IntN(1 + i/200)
		d := decision(whyv1alpha1.MakerHPA, start, int32(i), int32(i+1))
		d.Why = strings.Repeat("w", random.IntN(300))
		l.Write(key(n), digest(int32(i)), d)
		last[n] = d.To
		if size := l.Size(); size > bounds.Fleet {
			t.Fatalf("after %d writes there are %d bytes", i, size)
		}
	}
	newest := 0
	for n, to := range last {
		all, _ := l.Of(key(n), start)
		if len(all) > 0 && all[0].To != to {
			t.Fatalf("the newest of %d is %d, want %d", n, all[0].To, to)
		}
		if len(all) > 0 {
			newest++
		}
	}
	if newest < len(last)/2 {
		t.Errorf("of %d objects only %d have a decision", len(last), newest)
	}
}

// TestAsked: of what was asked for, the times are kept that a window looks back on.
func TestAsked(t *testing.T) {
	l, at := ledger.New(ledger.DefaultBounds()), func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	const window = 300 * time.Second
	if runs, since := l.AskedOf(key(1), start); runs != nil || !since.IsZero() {
		t.Errorf("before anything there are %v since %v", runs, since)
	}
	l.AskNothing(key(1), start)
	l.Ask(key(1), 9, at(0), window)
	l.Ask(key(1), 9, at(100), window)
	l.Ask(key(1), 3, at(200), window)
	runs, since := l.AskedOf(key(1), at(250))
	if diff := cmp.Diff([]ledger.Run{{Replicas: 9, Until: at(200)}, {Replicas: 3, Until: at(250)}}, runs); diff != "" || !since.Equal(start) {
		t.Errorf("since %v, -want +got\n%s", since, diff)
	}
	l.AskNothing(key(1), at(260))
	l.Ask(key(1), 3, at(400), window)
	runs, _ = l.AskedOf(key(1), at(501))
	if diff := cmp.Diff([]ledger.Run{{Replicas: 9, Until: at(200)}, {Replicas: 3, Until: at(260)}, {Replicas: 3, Until: at(501)}}, runs); diff != "" {
		t.Errorf("with a pause: -want +got\n%s", diff)
	}
	l.Ask(key(1), 4, at(510), window)
	if runs, _ = l.AskedOf(key(1), at(511)); runs[0].Replicas != 3 {
		t.Errorf("what is older than the window stays: %v", runs)
	}
}

// TestAskedOfMany: of more changes than are kept, those stay that a window looking
// down would choose.
func TestAskedOfMany(t *testing.T) {
	l := ledger.New(ledger.DefaultBounds())
	for i := range 200 {
		l.Ask(key(1), int32(100-i/2+i%2*3), start.Add(time.Duration(i)*time.Second), time.Hour)
	}
	runs, _ := l.AskedOf(key(1), start.Add(200*time.Second))
	most := int32(0)
	for _, r := range runs {
		most = max(most, r.Replicas)
	}
	if len(runs) > 12 || runs[len(runs)-1].Replicas != 4 || most < 10 {
		t.Errorf("there are %d: %v", len(runs), runs)
	}
}

func TestConcurrentUse(*testing.T) {
	l := ledger.New(ledger.Bounds{Object: 700, Fleet: 4000, Deleted: time.Minute, MostDeleted: 3})
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 500 {
				n := (i + worker) % 9
				l.Write(key(n), digest(int32(i)), decision(whyv1alpha1.MakerHPA, start, 1, 2))
				l.Ask(key(n), int32(i%5), start, time.Minute)
				if i%50 == 0 {
					l.Delete(key(n), decision(whyv1alpha1.MakerHPA, start, 1, 1))
				}
				_, _ = l.Of(key(n), start)
				_, _ = l.AskedOf(key(n), start)
			}
		})
	}
	group.Wait()
}
