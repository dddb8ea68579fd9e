package store_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/poll"
)

var (
	orders = poll.Key{Kind: "ScaledObject", Namespace: "shop", Name: "orders"}
	mails  = poll.Key{Kind: "ScaledObject", Namespace: "shop", Name: "mails"}
	at     = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
)

// changes counts notifications by object.
type changes struct {
	mu sync.Mutex
	n  map[poll.Key]int
}

func newStore() (*store.Store, *changes) {
	c := &changes{n: map[poll.Key]int{}}
	return store.New(func(key poll.Key) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.n[key]++
	}), c
}

// take returns how often the object was said to have changed since it was
// asked last.
func (c *changes) take(key poll.Key) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n[key]
	c.n[key] = 0
	return n
}

func trigger(index int, metric string) store.Trigger {
	return store.Trigger{
		Metric: metric, Index: index, Label: "redisScaler", Type: "redis", Fingerprint: param.FingerprintOf(metric), Freshness: 5 * time.Second,
	}
}

func value(n float64, active bool, at time.Time) scalers.Reading {
	return scalers.Reading{Value: scalers.Number(n), Active: active, At: at}
}

func failure(err error, at time.Time) scalers.Reading { return scalers.Reading{Err: err, At: at} }

func TestSetKeepsTheSlotsOfTriggersThatDidNotChange(t *testing.T) {
	s, _ := newStore()
	base := trigger(0, "s0-redis-orders")
	for name, tc := range map[string]struct {
		change func(*store.Trigger)
		kept   bool
	}{
		"nothing":       {func(*store.Trigger) {}, true},
		"configuration": {func(t *store.Trigger) { t.Fingerprint = param.FingerprintOf("other") }, false},
		"place":         {func(t *store.Trigger) { t.Index = 1 }, false},
		"metric":        {func(t *store.Trigger) { t.Metric = "s0-redis-other" }, false},
		"freshness":     {func(t *store.Trigger) { t.Freshness = time.Minute }, false},
		"label":         {func(t *store.Trigger) { t.Label = "mine" }, false},
		"type":          {func(t *store.Trigger) { t.Type = "kafka" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			old := s.Set(orders, []store.Trigger{base})[0]
			old.Put(value(7, true, at))
			changed := base
			tc.change(&changed)
			now := s.Set(orders, []store.Trigger{changed})[0]
			if (now == old) != tc.kept {
				t.Errorf("the slot is kept: %v, want %v", now == old, tc.kept)
			}
			if got := now.Reading().Known(); got != tc.kept {
				t.Errorf("the reading is kept: %v, want %v", got, tc.kept)
			}
			if now.Trigger != changed {
				t.Errorf("the slot's trigger is %+v, want %+v", now.Trigger, changed)
			}
		})
	}
}

func TestSlotsAreInTheOrderOfTheTriggers(t *testing.T) {
	s, _ := newStore()
	a, b, c := trigger(0, "s0-a"), trigger(1, "s1-b"), trigger(2, "s2-c")
	first := s.Set(orders, []store.Trigger{a, b, c})
	second := s.Set(orders, []store.Trigger{c, a})
	if second[0] != first[2] || second[1] != first[0] {
		t.Error("slots do not follow their triggers")
	}
	if got := s.Object(orders); len(got) != 2 || got[0] != second[0] || got[1] != second[1] {
		t.Errorf("the object has the slots %v", got)
	}
	if s.Find("shop", "orders", "s1-b") != nil {
		t.Error("a trigger that is gone is found")
	}
	if key := second[0].Key(); key != orders {
		t.Errorf("the slot is of %s", key)
	}
}

func TestFind(t *testing.T) {
	s, _ := newStore()
	slot := s.Set(orders, []store.Trigger{trigger(0, "s0-redis-Orders")})[0]
	s.Set(mails, []store.Trigger{trigger(0, "s0-redis-mails")})
	for _, tc := range []struct {
		namespace, object, metric string
		found                     bool
	}{
		{"shop", "orders", "s0-redis-Orders", true},
		{"shop", "orders", "s0-redis-orders", true},
		{"shop", "orders", "S0-REDIS-ORDERS", true},
		{"shop", "orders", "s0-redis-mails", false},
		{"shop", "mails", "s0-redis-orders", false},
		{"other", "orders", "s0-redis-orders", false},
		{"shop", "Orders", "s0-redis-orders", false},
		{"", "", "", false},
	} {
		if got := s.Find(tc.namespace, tc.object, tc.metric); (got == slot) != tc.found || (got != nil) != tc.found {
			t.Errorf("%s/%s %s is found: %v, want %v", tc.namespace, tc.object, tc.metric, got != nil, tc.found)
		}
	}
}

// TestScaledJobsHaveNoExternalMetrics: nobody is answered with what a ScaledJob's
// triggers read, nor does it hide the ScaledObject of its name.
func TestScaledJobsHaveNoExternalMetrics(t *testing.T) {
	s, _ := newStore()
	job := poll.Key{Kind: "ScaledJob", Namespace: "shop", Name: "orders"}
	slots := s.Set(job, []store.Trigger{trigger(0, "s0-a"), trigger(1, "s1-b")})
	if s.Find("shop", "orders", "s0-a") != nil {
		t.Error("a metric of a ScaledJob is found")
	}
	slot := s.Set(orders, []store.Trigger{trigger(0, "s0-a")})[0]
	s.Set(job, []store.Trigger{trigger(0, "s0-a")})
	if got := s.Find("shop", "orders", "s0-a"); got != slot {
		t.Errorf("found %v instead of that of the ScaledObject", got)
	}
	s.Remove(orders)
	if s.Find("shop", "orders", "s0-a") != nil || len(s.Object(job)) != 1 || s.Object(job)[0] != slots[0] {
		t.Error("removing the ScaledObject touches the ScaledJob")
	}
}

func TestRemove(t *testing.T) {
	s, changed := newStore()
	slot := s.Set(orders, []store.Trigger{trigger(0, "s0-a"), trigger(1, "s1-b")})[0]
	s.Set(mails, []store.Trigger{trigger(0, "s0-c")})
	s.Remove(orders)
	s.Remove(orders)
	if s.Object(orders) != nil || s.Find("shop", "orders", "s0-a") != nil {
		t.Error("the object is still there")
	}
	if got := s.Slots(); len(got) != 1 || got[0].Key() != mails {
		t.Errorf("the slots are %v, want that of the other object", got)
	}
	slot.Put(value(1, true, at)) // one that was in flight: it may tell, but must not be kept
	if s.Find("shop", "orders", "s0-a") != nil {
		t.Error("a late reading brought the object back")
	}
	changed.take(orders)
}

func TestChangesAreToldOnTransitionsOnly(t *testing.T) {
	s, changed := newStore()
	slot := s.Set(orders, []store.Trigger{trigger(0, "s0-a")})[0]
	other := s.Set(mails, []store.Trigger{trigger(0, "s0-b")})[0]
	other.Put(value(1, true, at))
	for i, step := range []struct {
		reason string
		r      scalers.Reading
		tell   int
	}{
		{"the first reading", value(0, false, at), 1},
		{"the same", value(0, false, at), 0},
		{"another value, not active yet", value(3, false, at), 0},
		{"active", value(9, true, at), 1},
		{"another value, still active", value(90, true, at), 0},
		{"an error", failure(errors.New("a"), at), 1},
		{"another error of the class", failure(scalers.UnavailableError("b"), at), 0},
		{"another class", failure(scalers.AuthenticationError("c"), at), 1},
		{"another class", failure(scalers.ConfigurationError("d"), at), 1},
		{"the class in another error", failure(fmt.Errorf("wrapped: %w", scalers.ConfigurationError("e")), at), 0},
		{"a value, not active", value(0, false, at), 1},
		{"an error without having been active", failure(errors.New("a"), at), 1},
		{"a value, active", value(9, true, at), 1},
	} {
		slot.Put(step.r)
		if got := changed.take(orders); got != step.tell {
			t.Errorf("step %d, %s: told %d times, want %d", i, step.reason, got, step.tell)
		}
	}
	if got := changed.take(mails); got != 1 {
		t.Errorf("the other object was told of %d times, want once", got)
	}
}

func TestFirstReadingThatFailsIsTold(t *testing.T) {
	s, changed := newStore()
	s.Set(orders, []store.Trigger{trigger(0, "s0-a")})[0].Put(failure(errors.New("a"), at))
	if changed.take(orders) != 1 {
		t.Error("the first reading was not told of")
	}
}

// TestResume: counting goes on from where it was, until something was read.
func TestResume(t *testing.T) {
	s, changes := newStore()
	slot := s.Set(orders, []store.Trigger{trigger(0, "s0-redis-orders")})[0]
	slot.Alarm(4)
	slot.Resume(2)
	slot.Resume(9) // once is enough
	slot.Put(failure(errors.New("no answer"), at))
	if got := slot.Failures(); got != 3 {
		t.Errorf("%d failures after one more than 2", got)
	}
	changes.take(orders)
	slot.Put(failure(errors.New("no answer"), at))
	if got := changes.take(orders); got != 1 {
		t.Errorf("reaching the alarm of 4 is told %d times", got)
	}
	slot.Put(failure(errors.New("no answer"), at))
	if got := changes.take(orders); got != 0 {
		t.Errorf("a failure beyond the alarm is told %d times", got)
	}
	slot.Put(value(1, true, at))
	slot.Resume(7)
	if got := slot.Failures(); got != 0 {
		t.Errorf("%d failures after a value", got)
	}
}

// TestFollow: every reading is told, also one that changes nothing else.
func TestFollow(t *testing.T) {
	s, _ := newStore()
	slot := s.Set(orders, []store.Trigger{trigger(0, "s0-redis-orders")})[0]
	told := 0
	slot.Follow(func() { told++ })
	for range 3 {
		slot.Put(value(7, true, at))
	}
	slot.Follow(nil)
	slot.Put(value(8, true, at))
	if told != 3 {
		t.Errorf("told of %d readings, want 3", told)
	}
}

func TestCounters(t *testing.T) {
	s, _ := newStore()
	slot := s.Set(orders, []store.Trigger{trigger(0, "s0-a")})[0]
	if slot.Failures() != 0 || slot.Errors() != 0 || !slot.LastActive().IsZero() || slot.Reading().Known() {
		t.Errorf("a slot that was not read has %+v", slot)
	}
	type counters struct {
		Failures   int32
		Errors     uint64
		LastActive time.Time
	}
	for i, step := range []struct {
		r    scalers.Reading
		want counters
	}{
		{value(0, false, at), counters{}},
		{value(9, true, at.Add(1)), counters{LastActive: at.Add(1)}},
		{failure(errors.New("a"), at.Add(2)), counters{1, 1, at.Add(1)}},
		{failure(errors.New("b"), at.Add(3)), counters{2, 2, at.Add(1)}},
		{value(1, false, at.Add(4)), counters{0, 2, at.Add(1)}},
		{failure(errors.New("c"), at.Add(5)), counters{1, 3, at.Add(1)}},
		{value(9, true, at.Add(6)), counters{0, 3, at.Add(6)}},
	} {
		slot.Put(step.r)
		got := counters{slot.Failures(), slot.Errors(), slot.LastActive()}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("step %d: (-want +got)\n%s", i, diff)
		}
		if r := slot.Reading(); !reflect.DeepEqual(r, step.r) {
			t.Errorf("step %d: the reading is %+v, want %+v", i, r, step.r)
		}
	}
}

// refresher reads by putting a reading into the slot.
type refresher struct {
	slot  *store.Slot
	put   []scalers.Reading
	err   error
	calls int
}

func (f *refresher) Refresh(context.Context) error {
	f.calls++
	for _, r := range f.put {
		f.slot.Put(r)
	}
	return f.err
}

func TestFresh(t *testing.T) {
	errDown := errors.New("down")
	for name, tc := range map[string]struct {
		reason    string
		freshness time.Duration
		before    []scalers.Reading
		refresh   []scalers.Reading
		fails     error
		unbound   bool
		calls     int
		want      float64
		err       error // or errAny
	}{
		"young":        {reason: "no call for a reading that is young", freshness: 5 * time.Second, before: one(3, -time.Second), want: 3},
		"at the bound": {reason: "the bound itself is young", freshness: 5 * time.Second, before: one(3, -5*time.Second), want: 3},
		"old":          {reason: "an old one is read anew", freshness: 5 * time.Second, before: one(3, -6*time.Second), refresh: one(4, 0), calls: 1, want: 4},
		"live":         {reason: "0 is always read anew", before: one(3, 0), refresh: one(4, 0), calls: 1, want: 4},
		"never read":   {reason: "nothing is read now", freshness: time.Second, refresh: one(4, 0), calls: 1, want: 4},
		"failed":       {reason: "an error is no value, however young", freshness: time.Minute, before: broken(errDown), refresh: one(4, 0), calls: 1, want: 4},
		"fails now":    {reason: "an error of the trigger is the answer", freshness: time.Second, before: one(3, -time.Minute), refresh: broken(errDown), calls: 1, err: errDown},
		"all fails":    {reason: "so is one of the group", freshness: time.Second, before: one(3, -time.Minute), fails: errDown, calls: 1, err: errDown},
		"not bound":    {reason: "who reads it is not known yet", freshness: time.Second, unbound: true, err: errAny},
		"not bound, young": {reason: "a young reading needs nobody", freshness: time.Minute, before: one(3, 0), unbound: true,
			want: 3},
		"not read after all": {reason: "what was not read is not 0", freshness: time.Second, calls: 1, err: errAny},
		"read no more":       {reason: "nor is what was read long ago fresh", freshness: time.Second, before: one(3, -time.Minute), calls: 1, err: errAny},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newStore()
			it := trigger(0, "s0-a")
			it.Freshness = tc.freshness
			slot := s.Set(orders, []store.Trigger{it})[0]
			for _, r := range tc.before {
				slot.Put(r)
			}
			f := &refresher{slot: slot, put: tc.refresh, err: tc.fails}
			if !tc.unbound {
				slot.Bind(f)
			}
			r, err := slot.Fresh(t.Context(), at)
			if f.calls != tc.calls {
				t.Errorf("%s: %d calls, want %d", tc.reason, f.calls, tc.calls)
			}
			switch {
			case tc.err == nil && (err != nil || r.Value.Metric != tc.want):
				t.Errorf("%s: got %+v, %v; want %v", tc.reason, r, err, tc.want)
			case tc.err != nil && err == nil, tc.err != nil && !errors.Is(tc.err, errAny) && !errors.Is(err, tc.err):
				t.Errorf("%s: got %+v, %v; want the error %v", tc.reason, r, err, tc.err)
			}
		})
	}
}

var errAny = errors.New("any error")

func one(n float64, age time.Duration) []scalers.Reading {
	return []scalers.Reading{value(n, true, at.Add(age))}
}

func broken(err error) []scalers.Reading { return []scalers.Reading{failure(err, at)} }

// Readers, writers and changes of objects at once: the race detector looks on.
func TestConcurrentUse(t *testing.T) {
	s, _ := newStore()
	var group sync.WaitGroup
	for i := range 4 {
		key := poll.Key{Kind: "ScaledObject", Namespace: "shop", Name: fmt.Sprint(i % 2)}
		group.Go(func() {
			for n := range 500 {
				slots := s.Set(key, []store.Trigger{trigger(0, "s0-a"), trigger(1, fmt.Sprintf("s1-%d", n%3))})
				for _, slot := range slots {
					slot.Bind(&refresher{slot: slot})
					slot.Put(value(float64(n), n%2 == 0, at))
				}
				if n%50 == 0 {
					s.Remove(key)
				}
			}
		})
		group.Go(func() {
			for range 500 {
				if slot := s.Find("shop", key.Name, "s0-a"); slot != nil {
					_, _ = slot.Fresh(t.Context(), at)
					_, _, _ = slot.Failures(), slot.Errors(), slot.LastActive()
				}
				for _, slot := range s.Slots() {
					_ = slot.Reading()
				}
				_ = s.Object(key)
			}
		})
	}
	group.Wait()
	for i := range 2 {
		s.Remove(poll.Key{Kind: "ScaledObject", Namespace: "shop", Name: fmt.Sprint(i)})
	}
	if left := s.Slots(); len(left) != 0 {
		t.Errorf("%d slots are left", len(left))
	}
}
