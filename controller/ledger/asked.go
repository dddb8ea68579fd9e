package ledger

import (
	"slices"
	"time"

	"github.com/freshet-io/freshet/scalers/poll"
)

// Asked is what the metrics of an HPA asked for over time, which its stabilization
// windows look back on. Of a time in which they asked for the same, the end is kept.
type Asked struct {
	runs []Run
	// open tells that the last run goes on.
	open bool
	// since is when the watch began.
	since time.Time
}

// Run is a time in which metrics asked for so many replicas, and when it ended; the
// last one goes on.
type Run struct {
	Replicas int32
	Until    time.Time
}

// mostRuns bounds what is kept of an object.
const mostRuns = 12

// Ask keeps what the metrics of the object's HPA ask for now, and forgets what they
// asked for before the longest window.
func (l *Ledger) Ask(key poll.Key, replicas int32, now time.Time, window time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(key)
	if a.asked.since.IsZero() {
		a.asked.since = now
	}
	a.asked.add(replicas, now, window)
}

// AskNothing keeps that the metrics of the object's HPA ask for nothing now: the HPA
// does not look at them, or cannot read them.
func (l *Ledger) AskNothing(key poll.Key, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.objects[key]; a != nil {
		a.asked.close(now)
	}
}

// AskedOf returns what the metrics of the object's HPA asked for until now, and since
// when this is watched; the zero time if it is not.
func (l *Ledger) AskedOf(key poll.Key, now time.Time) (runs []Run, since time.Time) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	a := l.objects[key]
	if a == nil {
		return nil, time.Time{}
	}
	runs = slices.Clone(a.asked.runs)
	if a.asked.open {
		runs[len(runs)-1].Until = now
	}
	return runs, a.asked.since
}

func (k *Asked) add(replicas int32, now time.Time, window time.Duration) {
	n := len(k.runs)
	if k.open && k.runs[n-1].Replicas == replicas {
		k.runs[n-1].Until = now
		return
	}
	k.close(now)
	old := 0
	for old < n && now.Sub(k.runs[old].Until) > window {
		old++
	}
	k.runs, k.open = append(slices.Delete(k.runs, 0, old), Run{replicas, now}), true
	if len(k.runs) > mostRuns {
		k.drop()
	}
}

// close ends the run that goes on: what was asked for held until the look before, at
// most a sync ago.
func (k *Asked) close(now time.Time) {
	if k.open {
		k.runs[len(k.runs)-1].Until = now
	}
	k.open = false
}

// drop gives up a run that no window would choose: later ones asked for as many or
// more, and for as few or fewer. Where there is none, the oldest.
func (k *Asked) drop() {
	for i, run := range k.runs {
		more, fewer := false, false
		for _, later := range k.runs[i+1:] {
			more = more || later.Replicas >= run.Replicas
			fewer = fewer || later.Replicas <= run.Replicas
		}
		if more && fewer {
			k.runs = slices.Delete(k.runs, i, i+1)
			return
		}
	}
	k.runs = slices.Delete(k.runs, 0, 1)
}
