// Package jobs knows the Jobs of every ScaledJob: it counts them by a watch as
// they change, so that nobody lists them.
//
// Counts are as of a moment. What a trigger reads is older than what is known of
// Jobs when it is decided on, so a Job that ended after the read began still counts
// as running, and one that began after it as pending: the read may have seen its
// work either way, and counting it twice would make a Job too many.
package jobs

import (
	"slices"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// Job is what is known of a Job.
type Job struct {
	// Name and UID are its own, Owner that of the object that controls it or "".
	Name       string
	UID, Owner types.UID
	// Generation is that of the ScaledJob that it was made from, as its annotation
	// has it.
	Generation string
	// Deleted tells that its deletion was asked for.
	Deleted bool
	// Finished is the condition that it ended with, and At when; "" while it runs.
	Finished batchv1.JobConditionType
	At       time.Time
}

// belongs tells whether the Job is one of the ScaledJob of that UID. One that
// nobody controls was left by one of the same name, and goes on for it.
func (j *Job) belongs(uid types.UID) bool { return j.Owner == "" || j.Owner == uid }

// Tracker knows the Jobs of all ScaledJobs. It is safe for concurrent use.
type Tracker struct {
	// Ended is called when a Job ended or went away. It must not block.
	Ended func(owner client.ObjectKey)
	// Now is the clock.
	Now func() time.Time

	mu     sync.Mutex
	owners map[client.ObjectKey]*owned
}

// owned are the Jobs of one ScaledJob.
type owned struct {
	unfinished map[string]*Job
	finished   map[string]*Job
	// pods are those of Jobs that are not known to be finished, by the Job's name:
	// a pod may be seen before its Job.
	pods map[string][]pod
	// ended are the Jobs that were seen to end or go away, in the order of that.
	ended []end
	// expected are Jobs that were asked for and not seen yet, since when.
	expected map[string]time.Time
}

// end is that of a Job: when it was seen, and the pods that the Job had.
type end struct {
	at   time.Time
	pods []pod
}

// end takes in that a Job ended. The caller holds the lock.
func (t *Tracker) end(o *owned, name string) {
	o.ended = append(o.ended, end{t.Now(), o.pods[name]})
	delete(o.pods, name)
}

// of returns the Jobs of a ScaledJob. The caller holds the lock.
func (t *Tracker) of(key client.ObjectKey) *owned {
	if t.owners == nil {
		t.owners = map[client.ObjectKey]*owned{}
	}
	o := t.owners[key]
	if o == nil {
		o = &owned{unfinished: map[string]*Job{}, finished: map[string]*Job{}, pods: map[string][]pod{}, expected: map[string]time.Time{}}
		t.owners[key] = o
	}
	return o
}

// tidy forgets a ScaledJob of which there is nothing. The caller holds the lock.
func (t *Tracker) tidy(key client.ObjectKey) {
	if o := t.owners[key]; o != nil && len(o.unfinished)+len(o.finished)+len(o.pods)+len(o.expected)+len(o.ended) == 0 {
		delete(t.owners, key)
	}
}

// See takes in a Job as it is now.
func (t *Tracker) See(job *batchv1.Job) {
	key := ownerOf(job)
	t.mu.Lock()
	o := t.of(key)
	delete(o.expected, job.Name)
	next := read(job)
	for _, was := range []*Job{o.unfinished[job.Name], o.finished[job.Name]} {
		switch {
		case was == nil:
		case was.UID != next.UID: // it went, and another one came, while nobody watched
			t.end(o, job.Name)
		case was.Deleted: // what was asked for may not be in this version yet
			next.Deleted = true
		}
	}
	ended := false
	if next.Finished == "" {
		delete(o.finished, job.Name)
		o.unfinished[job.Name] = next
	} else {
		ended = o.finished[job.Name] == nil
		if ended {
			t.end(o, job.Name)
		}
		delete(o.unfinished, job.Name)
		delete(o.pods, job.Name)
		o.finished[job.Name] = next
	}
	t.mu.Unlock()
	if ended {
		t.Ended(key)
	}
}

// Gone takes in that there is no such Job any more.
func (t *Tracker) Gone(job *batchv1.Job) {
	key := ownerOf(job)
	t.mu.Lock()
	o := t.of(key)
	delete(o.expected, job.Name)
	if o.unfinished[job.Name] != nil {
		t.end(o, job.Name)
	}
	delete(o.unfinished, job.Name)
	delete(o.finished, job.Name)
	delete(o.pods, job.Name)
	t.tidy(key)
	t.mu.Unlock()
	t.Ended(key)
}

// Deleting tells that the deletion of a Job was asked for.
func (t *Tracker) Deleting(owner client.ObjectKey, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.owners[owner]; o != nil {
		for _, j := range []*Job{o.unfinished[name], o.finished[name]} {
			if j != nil {
				j.Deleted = true
			}
		}
	}
}

// ownerOf names the ScaledJob that a Job or pod is of.
func ownerOf(obj client.Object) client.ObjectKey {
	return client.ObjectKey{Namespace: obj.GetNamespace(), Name: obj.GetLabels()[kedav1alpha1.LabelScaledJobName]}
}

// read keeps of a Job what matters.
func read(job *batchv1.Job) *Job {
	j := &Job{
		Name: job.Name, UID: job.UID, Deleted: job.DeletionTimestamp != nil,
		Generation: job.Annotations[kedav1alpha1.AnnotationScaledJobGeneration],
	}
	if ref := metav1.GetControllerOfNoCopy(job); ref != nil {
		j.Owner = ref.UID
	}
	for i := range job.Status.Conditions {
		c := &job.Status.Conditions[i]
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) {
			j.Finished, j.At = c.Type, c.LastTransitionTime.Time // a Job that failed has no completionTime
		}
	}
	return j
}

// Has tells whether a Job of that name exists, or was asked for.
func (t *Tracker) Has(owner client.ObjectKey, name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.owners[owner]
	if o == nil {
		return false
	}
	_, expected := o.expected[name]
	return expected || o.unfinished[name] != nil || o.finished[name] != nil
}

// Outdated are the Jobs that were made from another generation, and are not being
// deleted.
func (t *Tracker) Outdated(owner client.ObjectKey, uid types.UID, generation string) []Job {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []Job
	o := t.owners[owner]
	if o == nil {
		return nil
	}
	for _, group := range []map[string]*Job{o.unfinished, o.finished} {
		for _, j := range group {
			if j.belongs(uid) && !j.Deleted && j.Generation != generation {
				all = append(all, *j)
			}
		}
	}
	slices.SortFunc(all, func(a, b Job) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Surplus are the finished Jobs beyond so many that succeeded and failed, those that
// ended first.
func (t *Tracker) Surplus(owner client.ObjectKey, uid types.UID, succeeded, failed int32) []Job {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.owners[owner]
	if o == nil || len(o.finished) <= int(min(succeeded, failed)) {
		return nil
	}
	var good, bad []*Job
	for _, j := range o.finished {
		switch {
		case !j.belongs(uid) || j.Deleted:
		case j.Finished == batchv1.JobComplete:
			good = append(good, j)
		default:
			bad = append(bad, j)
		}
	}
	return append(oldest(good, succeeded), oldest(bad, failed)...)
}

// oldest are all but the last keep to end.
func oldest(jobs []*Job, keep int32) []Job {
	surplus := len(jobs) - int(keep)
	if surplus <= 0 {
		return nil
	}
	slices.SortFunc(jobs, func(a, b *Job) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	all := make([]Job, surplus)
	for i := range all {
		all[i] = *jobs[i]
	}
	return all
}
