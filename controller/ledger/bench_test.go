package ledger_test

import (
	"runtime"
	"testing"
	"time"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/ledger"
)

// fleet is a ledger of so many objects with three decisions each, and what their HPAs
// asked for.
func fleet(objects int) *ledger.Ledger {
	l := ledger.New(ledger.DefaultBounds())
	for n := range objects {
		for i := range int32(3) {
			by := whyv1alpha1.MakerFreshet
			if i == 2 {
				by = whyv1alpha1.MakerHPA
			}
			l.Write(key(n), digest(i), decision(by, start, i, i+1))
		}
		l.Ask(key(n), 3, start, time.Minute)
	}
	return l
}

// BenchmarkSame is a decision that is as the last one, in a fleet.
func BenchmarkSame(b *testing.B) {
	l, k := fleet(60_000), key(30_000)
	outcome, by := "Active", []string{"s0-redis-orders"}
	b.ReportAllocs()
	for b.Loop() {
		d := ledger.NewDigest().Text(outcome).Texts(by).Number(7)
		if l.Same(k, whyv1alpha1.MakerHPA, d) {
			b.Fatal("it is another one")
		}
	}
}

// BenchmarkWrite is a decision that is another one, in a fleet.
func BenchmarkWrite(b *testing.B) {
	l := fleet(60_000)
	d := decision(whyv1alpha1.MakerHPA, start, 3, 4)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Write(key(i%1000), digest(int32(i)), d)
	}
}

// BenchmarkFleet tells what 60,000 objects with three decisions each take.
func BenchmarkFleet(b *testing.B) {
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		l := fleet(60_000)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
		b.ReportMetric(float64(l.Size())/(1<<20), "MiB-decisions")
	}
}

// TestNothingIsAllocatedWhenNothingChanged: a fleet at rest costs no memory.
func TestNothingIsAllocatedWhenNothingChanged(t *testing.T) {
	l, k, by := fleet(10), key(3), []string{"s0-redis-orders"}
	if n := testing.AllocsPerRun(100, func() {
		_ = l.Same(k, whyv1alpha1.MakerFreshet, ledger.NewDigest().Text("Active").Texts(by).Number(7))
		l.Ask(k, 3, start, time.Minute)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
