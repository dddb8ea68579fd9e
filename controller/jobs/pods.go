package jobs

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// pod is what is known of a pod of a Job: since when it was seen to run or to have
// succeeded, and since when each of its conditions to be true.
type pod struct {
	name  string
	began time.Time
	since []seen
}

type seen struct {
	condition string
	at        time.Time
}

// fulfils is since when the pod fulfils all conditions, or without any runs; zero is
// not yet.
func (p *pod) fulfils(conditions []string) time.Time {
	if len(conditions) == 0 {
		return p.began
	}
	var last time.Time
	for _, condition := range conditions {
		i := slices.IndexFunc(p.since, func(s seen) bool { return s.condition == condition })
		if i < 0 {
			return time.Time{}
		}
		if p.since[i].at.After(last) {
			last = p.since[i].at
		}
	}
	return last
}

// SeePod takes in a pod as it is now.
func (t *Tracker) SeePod(p *corev1.Pod) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, name := t.of(ownerOf(p)), p.Labels[kedav1alpha1.LabelJobName]
	if o.finished[name] != nil {
		return // its pods do not matter any more
	}
	pods := o.pods[name]
	i := slices.IndexFunc(pods, func(known pod) bool { return known.name == p.Name })
	if i < 0 {
		o.pods[name] = append(pods, next(pod{}, p, t.Now()))
		return
	}
	pods[i] = next(pods[i], p, t.Now())
}

// GonePod takes in that there is no such pod any more.
func (t *Tracker) GonePod(p *corev1.Pod) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key, name := ownerOf(p), p.Labels[kedav1alpha1.LabelJobName]
	o := t.of(key)
	o.pods[name] = slices.DeleteFunc(o.pods[name], func(known pod) bool { return known.name == p.Name })
	if len(o.pods[name]) == 0 {
		delete(o.pods, name)
	}
	t.tidy(key)
}

// next is what is known of a pod after it was seen at the moment now.
func next(was pod, p *corev1.Pod, now time.Time) pod {
	is := pod{name: p.Name}
	if p.Status.Phase == corev1.PodRunning || p.Status.Phase == corev1.PodSucceeded {
		if is.began = was.began; is.began.IsZero() {
			is.began = now
		}
	}
	for i := range p.Status.Conditions {
		c := &p.Status.Conditions[i]
		if c.Status != corev1.ConditionTrue {
			continue
		}
		at := was.fulfils([]string{string(c.Type)})
		if at.IsZero() {
			at = now
		}
		is.since = append(is.since, seen{string(c.Type), at})
	}
	return is
}
