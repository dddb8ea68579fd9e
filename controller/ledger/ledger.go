// Package ledger keeps the last decisions on every object, with what they were
// made of: those of Freshet between zero and the first replicas, and those of the
// HPA above. A decision is written when it differs from the one before, so that a
// fleet at rest costs nothing; what is kept is bounded for each object and for the
// fleet, and that of deleted objects stays for a while.
package ledger

import (
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/scalers/poll"
)

// Bounds say how much is kept.
type Bounds struct {
	// Object and Fleet are bytes of decisions: of each object, and of all together.
	Object, Fleet int
	// Deleted is for how long, and MostDeleted for how many deleted objects at most.
	Deleted     time.Duration
	MostDeleted int
}

// DefaultBounds keep about ten decisions of an object, in a fleet of 60,000 about
// three of each.
func DefaultBounds() Bounds {
	return Bounds{Object: 2 << 10, Fleet: 40 << 20, Deleted: time.Hour, MostDeleted: 1000}
}

// Ledger has the decisions of all objects. It is safe for concurrent use.
type Ledger struct {
	bounds Bounds

	mu      sync.RWMutex
	objects map[poll.Key]*account
	// size are the bytes of all decisions.
	size int
	// scratch is where decisions are encoded.
	scratch []byte
	// gone are the deleted objects, the first deleted first.
	gone []poll.Key
}

// account is what is kept of one object.
type account struct {
	// text are the decisions, the oldest first: see encode.go.
	text []byte
	// digests are those of the last decision of each maker.
	digests [2]Digest
	deleted time.Time
	asked   Asked
}

// New returns an empty ledger.
func New(b Bounds) *Ledger {
	return &Ledger{bounds: b, objects: map[poll.Key]*account{}}
}

// place is where the digest of a maker is kept.
func place(by whyv1alpha1.Maker) int {
	if by == whyv1alpha1.MakerHPA {
		return 1
	}
	return 0
}

// Same tells whether the last decision of the maker on the object had that digest:
// there is nothing to write then.
func (l *Ledger) Same(key poll.Key, by whyv1alpha1.Maker, d Digest) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	a := l.objects[key]
	return a != nil && a.deleted.IsZero() && a.digests[place(by)] == d
}

// Write keeps a decision and its digest. An object that was deleted is there again.
func (l *Ledger) Write(key poll.Key, digest Digest, d *whyv1alpha1.Decision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(key)
	if !a.deleted.IsZero() {
		a.deleted = time.Time{}
		l.gone = slices.DeleteFunc(l.gone, func(k poll.Key) bool { return k == key })
	}
	a.digests[place(d.By)] = digest
	l.keep(a, d)
	l.expire(d.At.Time)
}

// Delete has the object's decisions kept for a while only. Of an object that nothing
// is known of, nothing is kept.
func (l *Ledger) Delete(key poll.Key, d *whyv1alpha1.Decision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.objects[key]
	if a == nil || !a.deleted.IsZero() {
		return
	}
	l.keep(a, d)
	a.deleted, a.digests, a.asked = d.At.Time, [2]Digest{}, Asked{}
	l.gone = append(l.gone, key)
	l.expire(d.At.Time)
}

// Of returns the decisions on the object, the newest first, and when it was deleted;
// the zero time while it was not.
func (l *Ledger) Of(key poll.Key, now time.Time) (all []whyv1alpha1.Decision, deleted time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire(now)
	a := l.objects[key]
	if a == nil {
		return nil, time.Time{}
	}
	for rest := a.text; len(rest) > 0; {
		var d whyv1alpha1.Decision
		d, rest = decode(rest)
		all = append(all, d)
	}
	slices.Reverse(all)
	return all, a.deleted
}

// Last returns the newest decision on the object, without decoding the others.
func (l *Ledger) Last(key poll.Key) (whyv1alpha1.Decision, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	a := l.objects[key]
	if a == nil || len(a.text) == 0 {
		return whyv1alpha1.Decision{}, false
	}
	var last []byte
	for rest := a.text; len(rest) > 0; rest = rest[frame(rest):] {
		last = rest
	}
	d, _ := decode(last)
	return d, true
}

// Deleted are the deleted objects that are still known.
func (l *Ledger) Deleted(now time.Time) []poll.Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire(now)
	return slices.Clone(l.gone)
}

// Size is how many bytes of decisions there are.
func (l *Ledger) Size() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.size
}

func (l *Ledger) account(key poll.Key) *account {
	a := l.objects[key]
	if a == nil {
		a = &account{}
		l.objects[key] = a
	}
	return a
}

// keep appends a decision and drops the oldest ones that are too many.
func (l *Ledger) keep(a *account, d *whyv1alpha1.Decision) {
	before := cap(a.text)
	l.scratch = encode(l.scratch[:0], d)
	most := min(l.bounds.Object, l.bounds.Fleet/len(l.objects))
	a.text = trim(a.text, most-len(l.scratch))
	if n := len(a.text) + len(l.scratch); n > cap(a.text) { // append would take twice as much
		a.text = append(make([]byte, 0, n), a.text...)
	}
	a.text = append(a.text, l.scratch...)
	l.size += cap(a.text) - before
	if l.size > l.bounds.Fleet {
		l.shrink()
	}
}

// shrink brings the fleet well below its bound, so that it is not called again soon.
func (l *Ledger) shrink() {
	share := l.bounds.Fleet / len(l.objects) * 3 / 4
	l.size = 0
	for _, a := range l.objects {
		if cap(a.text) > share {
			a.text = slices.Clip(slices.Clone(trim(a.text, share)))
		}
		l.size += cap(a.text)
	}
}

// trim drops the oldest decisions until the rest is no longer than most.
func trim(text []byte, most int) []byte {
	drop := 0
	for len(text)-drop > max(0, most) {
		drop += frame(text[drop:])
	}
	return slices.Delete(text, 0, drop)
}

// expire forgets the deleted objects whose time is over, or that are too many.
func (l *Ledger) expire(now time.Time) {
	for len(l.gone) > 0 {
		a := l.objects[l.gone[0]]
		if len(l.gone) <= l.bounds.MostDeleted && now.Sub(a.deleted) < l.bounds.Deleted {
			return
		}
		l.size -= cap(a.text)
		delete(l.objects, l.gone[0])
		l.gone = slices.Delete(l.gone, 0, 1)
	}
}

// Second cuts a time to what is kept of it.
func Second(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }
