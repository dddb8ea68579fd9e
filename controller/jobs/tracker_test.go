package jobs

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

var (
	owner = client.ObjectKey{Namespace: "shop", Name: "resize"}
	start = time.Unix(1_900_000_000, 0)
)

// world is a tracker with a clock.
type world struct {
	*testing.T
	*Tracker
	now   time.Time
	ended []client.ObjectKey
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: start}
	w.Tracker = &Tracker{
		Now:   func() time.Time { return w.now },
		Ended: func(key client.ObjectKey) { w.ended = append(w.ended, key) },
	}
	return w
}

// at sets the clock, in seconds.
func (w *world) at(seconds int) { w.now = at(seconds) }

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

// job is a Job of the owner whose UID is "u", unless edits say otherwise.
func job(name string, edits ...func(*batchv1.Job)) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Namespace: owner.Namespace, Name: name, UID: types.UID("uid-" + name),
		Labels:          map[string]string{kedav1alpha1.LabelScaledJobName: owner.Name},
		Annotations:     map[string]string{kedav1alpha1.AnnotationScaledJobGeneration: "1"},
		OwnerReferences: []metav1.OwnerReference{{Kind: "ScaledJob", Name: owner.Name, UID: "u", Controller: new(true)}},
	}}
	for _, edit := range edits {
		edit(j)
	}
	return j
}

// ended has a Job end with a condition.
func ended(as batchv1.JobConditionType, seconds int) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Status.Conditions = []batchv1.JobCondition{
			{Type: batchv1.JobSuspended, Status: corev1.ConditionFalse},
			{Type: as, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(at(seconds))},
		}
	}
}

func ownedBy(uid types.UID) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		if j.OwnerReferences[0].UID = uid; uid == "" {
			j.OwnerReferences = nil
		}
	}
}

// podOf is one of a Job, in a phase and with conditions that hold.
func podOf(name string, phase corev1.PodPhase, conditions ...corev1.PodConditionType) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: owner.Namespace, Name: name + "-x",
		Labels: map[string]string{kedav1alpha1.LabelScaledJobName: owner.Name, kedav1alpha1.LabelJobName: name},
	}}
	p.Status.Phase = phase
	for _, c := range conditions {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: c, Status: corev1.ConditionTrue})
	}
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: "Never", Status: corev1.ConditionFalse})
	return p
}

func (w *world) expect(reason string, since int, conditions []string, want Counts) {
	w.Helper()
	if diff := cmp.Diff(want, w.Count(owner, "u", conditions, at(since))); diff != "" {
		w.Errorf("%s (-want +got):\n%s", reason, diff)
	}
}

func TestJobsAreCountedAsOfAMoment(t *testing.T) {
	w := newWorld(t)
	w.expect("nothing is known", 0, nil, Counts{})
	w.See(job("a"))
	w.See(job("b"))
	w.at(10)
	w.See(job("a", ended(batchv1.JobComplete, 9)))
	w.at(20)
	w.Gone(job("b"))
	w.expect("as of before both ended", 5, nil, Counts{Running: 2, Pending: 2, Finished: 1})
	w.expect("as of between", 10, nil, Counts{Running: 1, Pending: 1, Finished: 1})
	w.expect("as of now", 20, nil, Counts{Finished: 1})
	w.See(job("a", ended(batchv1.JobComplete, 9)))
	w.expect("seen again", 5, nil, Counts{Running: 2, Pending: 2, Finished: 1})
	w.Forget(owner, at(15))
	w.expect("as of a moment that is forgotten", 5, nil, Counts{Running: 1, Pending: 1, Finished: 1})
	if want := []client.ObjectKey{owner, owner}; !slices.Equal(w.ended, want) {
		t.Errorf("ends were told of %v", w.ended)
	}
	w.Gone(job("a"))
	w.Forget(owner, at(100))
	if len(w.owners) != 0 {
		t.Errorf("of what is gone there is still %v", w.owners)
	}
}

func TestOfAnotherOwnerAndOfNone(t *testing.T) {
	w := newWorld(t)
	w.See(job("ours"))
	w.See(job("left", ownedBy("")))
	w.See(job("former", ownedBy("former")))
	w.expect("one that nobody controls goes on for the object", 0, nil, Counts{Unfinished: 2, Running: 2, Pending: 2})
	if got := w.Outdated(owner, "u", "2"); len(got) != 2 {
		t.Errorf("outdated are %+v", got)
	}
}

// TestPending: a Job has begun when one of its pods runs or has succeeded, as of a
// moment.
func TestPending(t *testing.T) {
	w := newWorld(t)
	w.SeePod(podOf("b", corev1.PodPending)) // before its Job
	w.See(job("a"))
	w.See(job("b"))
	w.expect("none runs", 0, nil, Counts{Unfinished: 2, Running: 2, Pending: 2})
	w.at(10)
	w.SeePod(podOf("a", corev1.PodRunning))
	w.SeePod(podOf("b", corev1.PodFailed))
	w.expect("one runs, as of now", 10, nil, Counts{Unfinished: 2, Running: 2, Pending: 1})
	w.expect("one runs, as of before", 9, nil, Counts{Unfinished: 2, Running: 2, Pending: 2})
	w.at(20)
	w.SeePod(podOf("a", corev1.PodRunning, "Ready"))
	w.expect("it runs since it did", 10, nil, Counts{Unfinished: 2, Running: 2, Pending: 1})
	w.GonePod(podOf("a", corev1.PodRunning))
	w.expect("its pod is gone", 20, nil, Counts{Unfinished: 2, Running: 2, Pending: 2})
	w.SeePod(podOf("a", corev1.PodSucceeded))
	w.See(job("a", ended(batchv1.JobComplete, 20)))
	w.SeePod(podOf("a", corev1.PodSucceeded)) // late
	w.expect("it ended", 20, nil, Counts{Unfinished: 1, Running: 1, Pending: 1, Finished: 1})
	w.expect("as of when it ran", 15, nil, Counts{Unfinished: 1, Running: 2, Pending: 2, Finished: 1}) // its pod was another one
	if pods := w.owners[owner].pods; len(pods) != 1 {
		t.Errorf("pods of Jobs that ended are kept: %v", pods)
	}
}

// TestBegunAndEnded: a Job that began and ended since a moment was pending then.
func TestBegunAndEnded(t *testing.T) {
	w := newWorld(t)
	w.See(job("a"))
	w.at(10)
	w.SeePod(podOf("a", corev1.PodRunning))
	w.at(20)
	w.See(job("a", ended(batchv1.JobComplete, 20)))
	w.expect("as of before it began", 5, nil, Counts{Running: 1, Pending: 1, Finished: 1})
	w.expect("as of when it ran", 10, nil, Counts{Running: 1, Finished: 1})
	w.expect("as of its end", 20, nil, Counts{Finished: 1})
}

// TestPendingConditions: with conditions, all of them must hold on one pod.
func TestPendingConditions(t *testing.T) {
	w := newWorld(t)
	both := []string{"Ready", "Took"}
	w.See(job("a"))
	w.SeePod(podOf("a", corev1.PodRunning, "Ready"))
	w.expect("one is missing", 0, both, Counts{Unfinished: 1, Running: 1, Pending: 1})
	w.at(10)
	w.SeePod(podOf("a", corev1.PodRunning, "Ready", "Took"))
	w.expect("both hold", 10, both, Counts{Unfinished: 1, Running: 1})
	w.expect("as of before", 9, both, Counts{Unfinished: 1, Running: 1, Pending: 1})
	w.at(20)
	w.SeePod(podOf("a", corev1.PodRunning, "Took"))
	w.expect("one ceased", 20, both, Counts{Unfinished: 1, Running: 1, Pending: 1})
	w.expect("a condition that is False", 20, []string{"Never"}, Counts{Unfinished: 1, Running: 1, Pending: 1})
}

// TestExpected: what was asked for counts until it is seen, or known not to be.
func TestExpected(t *testing.T) {
	w := newWorld(t)
	w.Expect(owner, "a")
	w.at(5)
	w.Expect(owner, "b")
	w.expect("asked for", 0, nil, Counts{Unfinished: 2, Running: 2, Pending: 2})
	if !w.Has(owner, "a") || w.Has(owner, "c") || w.Has(client.ObjectKey{}, "a") {
		t.Error("what was asked for is not told from what was not")
	}
	if got := w.Missing(owner, at(5)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("missing are %v", got)
	}
	w.See(job("a"))
	w.Unexpect(owner, "b")
	w.expect("one was seen, the other is not made", 0, nil, Counts{Unfinished: 1, Running: 1, Pending: 1})
	w.Expect(owner, "a") // it is there already
	w.expect("asked for again", 0, nil, Counts{Unfinished: 1, Running: 1, Pending: 1})
	w.Expect(owner, "short")
	w.Gone(job("short"))
	w.expect("one that came and went", 6, nil, Counts{Unfinished: 1, Running: 1, Pending: 1})
}

// TestReplacedWhileNobodyWatched: another Job of the name, and the former one ended.
func TestReplacedWhileNobodyWatched(t *testing.T) {
	w := newWorld(t)
	w.See(job("a"))
	w.SeePod(podOf("a", corev1.PodRunning))
	w.at(10)
	w.See(job("a", func(j *batchv1.Job) { j.UID = "another" }))
	w.expect("both count", 5, nil, Counts{Unfinished: 1, Running: 2, Pending: 1})
	w.See(job("a", func(j *batchv1.Job) { j.UID = "another" }, ended(batchv1.JobFailed, 10)))
	w.See(job("a"))
	w.expect("the first came back", 20, nil, Counts{Unfinished: 1, Running: 1, Pending: 1})
}

func TestSurplus(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.See(job(fmt.Sprintf("good-%d", i), ended(batchv1.JobComplete, 10-i)))
		w.See(job(fmt.Sprintf("bad-%d", i), ended(batchv1.JobFailed, i)))
	}
	w.See(job("going", ended(batchv1.JobFailed, 0), func(j *batchv1.Job) { j.DeletionTimestamp = &metav1.Time{} }))
	w.See(job("former", ended(batchv1.JobFailed, 0), ownedBy("former")))
	w.See(job("runs"))
	names := func(list []Job) []string {
		var all []string
		for _, j := range list {
			all = append(all, j.Name)
		}
		return all
	}
	if got, want := names(w.Surplus(owner, "u", 3, 4)), []string{"good-4", "good-3", "bad-0"}; !slices.Equal(got, want) {
		t.Errorf("beyond 3 and 4 are %v, want %v", got, want)
	}
	if got := names(w.Surplus(owner, "u", 5, 5)); got != nil {
		t.Errorf("beyond 5 and 5 are %v", got)
	}
	w.Deleting(owner, "good-4")
	w.See(job("good-4", ended(batchv1.JobComplete, 6))) // as it was before
	if got, want := names(w.Surplus(owner, "u", 3, 9)), []string{"good-3"}; !slices.Equal(got, want) {
		t.Errorf("beside the one that is being deleted %v, want %v", got, want)
	}
	if got := w.Surplus(owner, "u", 0, 0); len(got) != 9 {
		t.Errorf("with no history %v", names(got))
	}
}

func TestOutdated(t *testing.T) {
	w := newWorld(t)
	w.See(job("new", func(j *batchv1.Job) {
		j.Annotations = map[string]string{kedav1alpha1.AnnotationScaledJobGeneration: "2"}
	}))
	w.See(job("old"))
	w.See(job("older", func(j *batchv1.Job) { j.Annotations = nil }, ended(batchv1.JobComplete, 1)))
	got := w.Outdated(owner, "u", "2")
	if len(got) != 2 || got[0].Name != "old" || got[1].Name != "older" {
		t.Errorf("outdated are %+v", got)
	}
	w.Deleting(owner, "old")
	if got := w.Outdated(owner, "u", "2"); len(got) != 1 {
		t.Errorf("one that is being deleted is outdated: %+v", got)
	}
	if w.Outdated(client.ObjectKey{Name: "x"}, "u", "2") != nil {
		t.Error("an object without Jobs has outdated ones")
	}
}
