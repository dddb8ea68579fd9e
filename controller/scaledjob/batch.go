package scaledjob

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/jobs"
	"github.com/freshet-io/freshet/controller/scaledjob/strategy"
)

// making is a batch whose Jobs are being made by this process.
type making struct {
	sequence, generation int64
	// todo are the places of Jobs that are not known to be made, in order.
	todo []int32
	// size is the number of places. made is how many Jobs were made since that was
	// told last.
	size, made int32
	// newest is when the newest reading began that the batch answers; zero when it
	// is for the minimum.
	newest time.Time
	// time and why are of the decision.
	time metav1.Time
	why  string
}

// record is the batch as the status has it.
func (m *making) record() *kedav1alpha1.JobBatch {
	return &kedav1alpha1.JobBatch{Sequence: m.sequence, Size: m.size, Made: m.done(), Time: &m.time, Why: m.why}
}

// stuck is why Jobs cannot be made.
type stuck struct {
	generation int64
	message    string
	// made of size Jobs of the batch are made.
	made, size int32
	// until is when to try again, delay how long that was from the last time.
	until time.Time
	delay time.Duration
	// unfinished is how many Jobs there were: when one ends there may be room.
	unfinished int32
}

const (
	// firstDelay and mostDelay bound how long Jobs that cannot be made are left alone.
	firstDelay = time.Second
	mostDelay  = time.Minute
	// chunk is how many Jobs are made until it is said how far that is.
	chunk = 100
)

// answer makes the Jobs that were decided on, or goes on with those that are being
// made: a batch is made to its end before the next is decided on. The batch is in
// the status before its first Job is. See docs/decisions/0019.
func (r *Reconciler) answer(ctx context.Context, d *draft, o *object, s *situation, decision strategy.Decision, now time.Time) (time.Duration, error) {
	if isNewer(o.last, d.Status.Batch) {
		d.Status.Batch = o.last
	}
	if st := o.stuck; st != nil {
		switch {
		case decision.Jobs == 0 && decision.Final(): // the rest is not wanted any more
			o.making = nil
		case st.holds(d.Generation, s.counts, now):
			return st.until.Sub(now), nil
		}
	}
	if !o.making.goesOn(d.ScaledJob, o.stuck, decision) {
		o.making = nil
		if decision.Jobs == 0 {
			closeBatch(d.ScaledJob, o, decision)
			return 0, nil
		}
		m := r.begin(d.ScaledJob, decision, now)
		if err := d.write(ctx, r.Client); err != nil {
			return 0, err
		}
		o.making, o.made, o.last = m, now, m.record()
	}
	return r.goOn(ctx, d.ScaledJob, o, s.counts, now), nil
}

// isNewer tells whether a batch says more than what the status has of it: a write of it
// was a conflict, or the cache does not have it yet.
func isNewer(last, status *kedav1alpha1.JobBatch) bool {
	switch {
	case last == nil:
		return false
	case status == nil || status.Sequence < last.Sequence:
		return true
	}
	return status.Sequence == last.Sequence && status.Size == last.Size && status.Made < last.Made
}

// holds tells whether to wait still.
func (s *stuck) holds(generation int64, counts jobs.Counts, now time.Time) bool {
	return now.Before(s.until) && s.generation == generation && counts.Unfinished >= s.unfinished
}

// goesOn tells whether the batch is to be made to its end as it was decided. One of
// a former spec is not, nor one that was held up and that newer readings speak of.
func (m *making) goesOn(sj *kedav1alpha1.ScaledJob, st *stuck, decision strategy.Decision) bool {
	return m != nil && m.generation == sj.Generation && (st == nil || !decision.Newest.After(m.newest))
}

// begin makes a batch of a decision and puts it into the status. It takes a new
// sequence, unless the last batch is not known to be complete: then Jobs of it may
// yet turn up that whoever began it asked for, and their names are used again. So the
// places that are free are taken from the first on, whatever is said to be made.
func (r *Reconciler) begin(sj *kedav1alpha1.ScaledJob, decision strategy.Decision, now time.Time) *making {
	m := &making{
		sequence: 1, generation: sj.Generation,
		time: metav1.NewTime(now.Truncate(time.Second)), why: kedav1alpha1.SteadyMessage(decision.Why),
	}
	if decision.Outcome == strategy.Start {
		m.newest = decision.Newest
	}
	if last := sj.Status.Batch; last != nil {
		if m.sequence = last.Sequence; last.Complete() {
			m.sequence++
		}
	}
	owner := client.ObjectKeyFromObject(sj)
	for place := int32(0); int32(len(m.todo)) < decision.Jobs; place++ {
		if !r.Jobs.Has(owner, jobName(sj, m.sequence, place)) {
			m.todo = append(m.todo, place)
		}
		m.size = place + 1
	}
	sj.Status.Batch = m.record()
	return m
}

// done is how many Jobs of the batch are made.
func (m *making) done() int32 { return m.size - int32(len(m.todo)) }

// goOn makes more Jobs of the batch and says how far that is. It tells when to go on.
func (r *Reconciler) goOn(ctx context.Context, sj *kedav1alpha1.ScaledJob, o *object, counts jobs.Counts, now time.Time) time.Duration {
	m := o.making
	made, err := r.create(ctx, sj, m)
	m.made += made
	o.last = m.record()
	sj.Status.Batch = o.last // if the cache had an older one, the write is a conflict
	if err != nil {
		r.tellMade(sj, m)
		o.stuck = r.hold(sj, o.stuck, made, counts, err, now)
		o.stuck.made, o.stuck.size = m.done(), m.size
		return o.stuck.until.Sub(now)
	}
	o.stuck = nil
	if len(m.todo) > 0 {
		return time.Millisecond
	}
	r.tellMade(sj, m)
	o.making = nil
	if !m.newest.IsZero() {
		o.answered = m.newest
	}
	return 0
}

// tellMade records how many Jobs were made.
func (r *Reconciler) tellMade(sj *kedav1alpha1.ScaledJob, m *making) {
	if m.made > 0 {
		r.Events.Scaled(sj, events.JobsCreated, kedav1alpha1.SteadyMessage(fmt.Sprintf("Created %d jobs (%s)", m.made, m.why)))
	}
	m.made = 0
}

// hold is for how long Jobs that could not be made are left alone: longer each time
// that none was.
func (r *Reconciler) hold(sj *kedav1alpha1.ScaledJob, last *stuck, made int32, counts jobs.Counts, err error, now time.Time) *stuck {
	next := &stuck{generation: sj.Generation, message: err.Error(), delay: firstDelay, unfinished: counts.Unfinished + made}
	if last != nil && made == 0 && last.generation == sj.Generation {
		next.delay = min(2*last.delay, mostDelay)
	}
	next.until = now.Add(next.delay)
	if last == nil || last.message != next.message {
		r.Events.ScaleFailed(sj, events.JobCreateFailed, kedav1alpha1.SteadyMessage(next.message))
	}
	return next
}

// closeBatch ends a batch that is not complete when no more Jobs are wanted: they
// were made by whoever began it, or their work is gone.
func closeBatch(sj *kedav1alpha1.ScaledJob, o *object, decision strategy.Decision) {
	if !decision.Final() {
		return
	}
	o.stuck = nil
	if b := sj.Status.Batch; !b.Complete() {
		closed := *b
		closed.Size = b.Made
		sj.Status.Batch = &closed
	}
}
