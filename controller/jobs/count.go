package jobs

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Counts are numbers of Jobs.
type Counts struct {
	// Unfinished are not finished now, or were asked for and not seen yet.
	Unfinished int32
	// Running are those, and the Jobs that ended since the moment asked about.
	Running int32
	// Pending are the running Jobs that had not begun at that moment, also of those
	// that ended since.
	Pending int32
	// Finished are those that ended and are still there, of whatever owner.
	Finished int32
}

// Count counts the Jobs of a ScaledJob as of since. A Job has begun when one of its
// pods fulfils all conditions, or without any when one runs or has succeeded.
func (t *Tracker) Count(owner client.ObjectKey, uid types.UID, conditions []string, since time.Time) Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.owners[owner]
	if o == nil {
		return Counts{}
	}
	var c Counts
	for _, j := range o.unfinished {
		if !j.belongs(uid) {
			continue
		}
		c.Unfinished++
		if at := began(o.pods[j.Name], conditions); at.IsZero() || at.After(since) {
			c.Pending++
		}
	}
	expected := int32(len(o.expected))
	c.Unfinished += expected
	c.Pending += expected
	c.Running = c.Unfinished
	for i := len(o.ended) - 1; i >= 0 && o.ended[i].at.After(since); i-- {
		c.Running++
		if at := began(o.ended[i].pods, conditions); at.IsZero() || at.After(since) {
			c.Pending++
		}
	}
	c.Finished = int32(len(o.finished))
	return c
}

// Forget drops the moments before since: no reading is that old.
func (t *Tracker) Forget(owner client.ObjectKey, since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.owners[owner]; o != nil {
		n, _ := slices.BinarySearchFunc(o.ended, since, func(e end, t time.Time) int { return e.at.Compare(t) })
		o.ended = slices.Delete(o.ended, 0, n)
		t.tidy(owner)
	}
}

// began is when a Job with these pods was first seen to have begun; zero is not yet.
func began(pods []pod, conditions []string) time.Time {
	var first time.Time
	for i := range pods {
		if at := pods[i].fulfils(conditions); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// Expect counts a Job that is about to be made as one that runs, until it is seen.
func (t *Tracker) Expect(owner client.ObjectKey, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.of(owner); o.unfinished[name] == nil && o.finished[name] == nil {
		o.expected[name] = t.Now()
	}
}

// Unexpect tells that a Job is not to be seen: it was not made.
func (t *Tracker) Unexpect(owner client.ObjectKey, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.owners[owner]; o != nil {
		delete(o.expected, name)
		t.tidy(owner)
	}
}

// Missing are the Jobs that were asked for before a moment and not seen since.
func (t *Tracker) Missing(owner client.ObjectKey, before time.Time) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.owners[owner]
	if o == nil {
		return nil
	}
	var names []string
	for name, at := range o.expected {
		if at.Before(before) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
