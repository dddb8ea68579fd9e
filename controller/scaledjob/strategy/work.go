package strategy

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// work is an amount of work.
type work struct {
	// queue is the work as it was read, jobs how many Jobs do it, at most those
	// that may run.
	queue, jobs float64
	// why says how it came about.
	why string
}

// asked is how many Jobs the work asks for.
func (w work) asked() int64 { return whole(w.jobs) }

// items is the work in whole items: one is never done by two Jobs.
func (w work) items() int64 { return whole(w.queue) }

// whole rounds up, but for what only the division made a fraction.
func whole(n float64) int64 {
	const noise = 1e-9
	return int64(min(math.Ceil(n-noise*max(1, math.Abs(n))), math.MaxInt32))
}

// needsAll tells whether a trigger that cannot be read may mean that there is less
// work than the others say. A Job that was made cannot be taken back.
func (s *Spec) needsAll() bool {
	return s.Combine == kedav1alpha1.MultipleScalersMin || s.Combine == kedav1alpha1.MultipleScalersAvg
}

// combine makes one amount of work of those that the active triggers read:
//
//	max: that of the trigger with the longest queue      min: with the shortest
//	sum: the queues, and the Jobs, added up              avg: their means
//
// Each trigger asks for queue / target Jobs, at most those that may run; so does
// the outcome. A trigger without a target asks for none.
func combine(spec Spec, triggers []Trigger) work {
	var all []work
	places := float64(spec.places())
	for i := range triggers {
		t := &triggers[i]
		if !t.counts() {
			continue
		}
		w := work{queue: max(0, t.Queue), why: fmt.Sprintf("%s has %s", t.Metric, number(t.Queue))}
		if t.Target > 0 {
			w.jobs = min(w.queue/t.Target, places)
			w.why += fmt.Sprintf(" of %s a Job", number(t.Target))
		}
		all = append(all, w)
	}
	if len(all) == 1 {
		return all[0]
	}
	return spec.combined(all, places)
}

// combined is one amount of several.
func (s *Spec) combined(all []work, places float64) work {
	chosen, total := work{}, work{}
	parts := make([]string, len(all))
	for i, w := range all {
		parts[i] = w.why
		total.queue += w.queue
		total.jobs += w.jobs
		longer := w.queue > chosen.queue
		if s.Combine == kedav1alpha1.MultipleScalersMin {
			longer = w.queue < chosen.queue
		}
		if i == 0 || longer {
			chosen.queue, chosen.jobs = w.queue, w.jobs
		}
	}
	name := kedav1alpha1.MultipleScalersMax
	switch s.Combine {
	case kedav1alpha1.MultipleScalersSum:
		name, chosen = s.Combine, total
	case kedav1alpha1.MultipleScalersAvg:
		n := float64(len(all))
		name, chosen = s.Combine, work{queue: total.queue / n, jobs: total.jobs / n}
	case kedav1alpha1.MultipleScalersMin:
		name = s.Combine
	case kedav1alpha1.MultipleScalersMax:
	}
	chosen.jobs = min(chosen.jobs, places)
	chosen.why = fmt.Sprintf("%s, and their %s counts", strings.Join(parts, ", "), name)
	return chosen
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
