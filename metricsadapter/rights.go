package metricsadapter

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
	"unique"

	"k8s.io/apiserver/pkg/authentication/user"
)

const (
	// allowFor is the longest that a caller who was allowed to read a metric is not
	// asked for again, as long as with a kube-apiserver that asks a webhook. The HPA
	// comes every 15 s: with the library's 10 s each of its reads would be a call to
	// the API server, and with more than the 8,192 answers that the library keeps too.
	allowFor = 5 * time.Minute
	// mostRights bounds how many are remembered, of about 200 bytes each.
	mostRights = 1 << 18
	// firstSweep is the least number of rights that is worth a sweep.
	firstSweep = 1000
)

// right is to read one metric of one object.
type right struct {
	caller                    caller
	namespace, object, metric string
}

// caller is all that authorization is told of who asks.
type caller unique.Handle[string]

// callerOf encodes a user: two are the same caller only when nothing tells them apart.
func callerOf(u user.Info) caller {
	text := make([]byte, 0, 512)
	add := func(parts ...string) {
		text = binary.AppendUvarint(text, uint64(len(parts)))
		for _, part := range parts {
			text = binary.AppendUvarint(text, uint64(len(part)))
			text = append(text, part...)
		}
	}
	add(u.GetName(), u.GetUID())
	add(u.GetGroups()...)
	extra := u.GetExtra()
	for _, key := range slices.Sorted(maps.Keys(extra)) {
		add(key)
		add(extra[key]...)
	}
	return caller(unique.Make(string(text)))
}

// rights remembers what callers may read. Who may not is asked for by the next query.
type rights struct {
	now func() time.Time

	mu sync.Mutex
	// until is when each ends.
	until map[right]time.Time
	// sweepAt is the number of rights at which those that have ended are taken out.
	sweepAt int
}

func newRights(now func() time.Time) *rights {
	return &rights{now: now, until: map[right]time.Time{}, sweepAt: firstSweep}
}

// has tells whether the right was given a short while ago.
func (k *rights) has(r right) bool {
	k.mu.Lock()
	until, ok := k.until[r]
	k.mu.Unlock()
	return ok && k.now().Before(until)
}

// given remembers a right. Those that were given at once do not end at once, so that
// the API server is not asked for all of them in one sync of the HPA.
func (k *rights) given(r right) {
	now := k.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.until) >= k.sweepAt {
		k.sweep(now)
	}
	k.until[r] = now.Add(allowFor - rand.N(allowFor/4)) //nolint:gosec // nothing depends on it being secret
}

// sweep takes out the rights that have ended, and others where still too many are left.
func (k *rights) sweep(now time.Time) {
	maps.DeleteFunc(k.until, func(_ right, until time.Time) bool { return !now.Before(until) })
	for r := range k.until {
		if len(k.until) <= mostRights*3/4 {
			break
		}
		delete(k.until, r)
	}
	k.sweepAt = min(max(2*len(k.until), firstSweep), mostRights)
}
