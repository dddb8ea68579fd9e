package scaledjob

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/jobs"
	"github.com/freshet-io/freshet/controller/scaledjob/strategy"
)

// situation is what a decision is made of.
type situation struct {
	spec     strategy.Spec
	triggers []strategy.Trigger
	state    strategy.State
	counts   jobs.Counts
}

func (s *situation) decide(now time.Time) strategy.Decision {
	return strategy.Decide(s.spec, s.triggers, s.state, now)
}

// situation is that of the object, with Jobs counted as of its oldest reading.
func (r *Reconciler) situation(sj *kedav1alpha1.ScaledJob, o *object, all []*trigger, now time.Time) *situation {
	s := &situation{spec: specOf(sj), triggers: said(all)}
	oldest := strategy.Oldest(s.triggers)
	owner := client.ObjectKeyFromObject(sj)
	s.counts = r.Jobs.Count(owner, sj.UID, pendingConditions(sj), oldest)
	if oldest.IsZero() { // the next reading that asks for Jobs is not older than that
		oldest = now.Add(-max(sj.PollingInterval(), memory))
	}
	r.Jobs.Forget(owner, oldest)
	s.state = strategy.State{
		Running: s.counts.Running, Pending: s.counts.Pending, Unfinished: s.counts.Unfinished,
		Answered: o.answered, Made: o.made,
	}
	if b := sj.Status.Batch; b != nil && b.Time != nil && o.made.IsZero() {
		s.state.Made = b.Time.Time
	}
	return s
}

// memory is for how long at least it is known when Jobs ended.
const memory = time.Minute

func specOf(sj *kedav1alpha1.ScaledJob) strategy.Spec {
	s := sj.ScalingStrategy()
	spec := strategy.Spec{
		Min: sj.MinReplicas(), Max: sj.MaxReplicas(), Strategy: s.Strategy,
		Deduction: *s.CustomScalingQueueLengthDeduction, Combine: s.MultipleScalersCalculation, Interval: sj.PollingInterval(),
	}
	if s.Strategy == kedav1alpha1.ScalingStrategyCustom {
		spec.Share, _ = s.RunningJobShare() // else it were the default strategy
	}
	return spec
}

func pendingConditions(sj *kedav1alpha1.ScaledJob) []string {
	if s := sj.Spec.ScalingStrategy; s != nil {
		return s.PendingPodConditions
	}
	return nil
}

// needsPods tells whether it matters which Jobs have begun.
func needsPods(sj *kedav1alpha1.ScaledJob) bool {
	s := sj.ScalingStrategy().Strategy
	return s == kedav1alpha1.ScalingStrategyAccurate || s == kedav1alpha1.ScalingStrategyEager
}

// said is what the triggers say. The numbers of one that has several are added up,
// and its target is the mean of theirs.
func said(all []*trigger) []strategy.Trigger {
	var list []strategy.Trigger
	for _, t := range all {
		if t.isResource() {
			continue
		}
		s := strategy.Trigger{Metric: t.Metric, Err: t.err}
		if t.slot != nil {
			reading := t.slot.Reading()
			s.Known, s.Err, s.Active, s.At = reading.Known(), reading.Err, reading.Active, reading.At
			s.Queue, s.Target = reading.Value.Metric, t.Scaler.Target
			if series := reading.Value.Series; len(series) > 0 {
				s.Queue, s.Target = 0, 0
				for _, m := range series {
					s.Queue += m.Value
					s.Target += m.Target / float64(len(series))
				}
			}
		}
		list = append(list, s)
	}
	return list
}
