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

// AskedOf returns what the metrics of the object's HPA asked for, and since when
// this is watched; the zero time if it is not.
func (l *Ledger) AskedOf(key poll.Key) (runs []Run, since time.Time) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	a := l.objects[key]
	if a == nil {
		return nil, time.Time{}
	}
	return slices.Clone(a.asked.runs), a.asked.since
}

func (k *Asked) add(replicas int32, now time.Time, window time.Duration) {
	n := len(k.runs)
	if n > 0 {
		k.runs[n-1].Until = now // until the look before, at most a sync ago
		if k.runs[n-1].Replicas == replicas {
			return
		}
	}
	old := 0
	for old < n && now.Sub(k.runs[old].Until) > window {
		old++
	}
	k.runs = append(slices.Delete(k.runs, 0, old), Run{replicas, now})
	if len(k.runs) > mostRuns {
		k.drop()
	}
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
