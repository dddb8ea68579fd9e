package jobs

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// TestWatch: what the cache tells of is counted, and pods are watched once somebody
// asks about them.
func TestWatch(t *testing.T) {
	w := newWorld(t)
	informers := &informertest.FakeInformers{Scheme: clientgoscheme.Scheme}
	watch := &Watch{Cache: informers, Tracker: w.Tracker}
	if synced, err := watch.Synced(t.Context(), false); synced || err != nil {
		t.Errorf("before it began it is synced: %v, %v", synced, err)
	}
	if err := watch.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	jobs, err := informers.FakeInformerFor(t.Context(), &batchv1.Job{})
	if err != nil {
		t.Fatal(err)
	}
	jobs.Add(job("a"))
	jobs.Add(job("b"))
	jobs.Update(job("b"), job("b", ended(batchv1.JobComplete, 1)))
	w.expect("two Jobs, of which one ended", 0, nil, Counts{Unfinished: 1, Running: 1, Pending: 1, Finished: 1})
	if len(informers.InformersByGVK) != 1 {
		t.Errorf("without need these are watched: %v", informers.InformersByGVK)
	}
	if _, err := watch.Synced(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	pods, err := informers.FakeInformerFor(t.Context(), &corev1.Pod{})
	if err != nil {
		t.Fatal(err)
	}
	pods.Add(podOf("a", corev1.PodRunning))
	w.expect("one that runs", 0, nil, Counts{Unfinished: 1, Running: 1, Finished: 1})
	pods.Delete(podOf("a", corev1.PodRunning))
	jobs.Delete(job("b", ended(batchv1.JobComplete, 1)))
	w.expect("one whose pod is gone", 0, nil, Counts{Unfinished: 1, Running: 1, Pending: 1})
}

// TestCatchUp: Jobs that the watch did not tell of yet count, page by page.
func TestCatchUp(t *testing.T) {
	w := newWorld(t)
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme)
	for i := range 7 {
		builder.WithObjects(job(fmt.Sprintf("job-%d", i)))
	}
	builder.WithObjects(job("unrelated", func(j *batchv1.Job) { j.Labels = nil }))
	builder.WithObjects(job("elsewhere", func(j *batchv1.Job) { j.Namespace = "lab" }))
	live := builder.Build()
	w.See(job("job-0"))
	watch := &Watch{Tracker: w.Tracker, Namespaces: []string{"shop"}}
	if err := watch.CatchUp(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	w.expect("seven, of which one was seen", 0, nil, Counts{Unfinished: 7, Running: 7, Pending: 7})
	if w.Has(client.ObjectKey{Namespace: "lab", Name: owner.Name}, "elsewhere") {
		t.Error("a Job of a namespace that is not looked after is expected")
	}
	if got := w.Missing(owner, w.now.Add(time.Second)); len(got) != 6 {
		t.Errorf("missing are %v", got)
	}
	watch.Namespaces = nil
	if err := watch.CatchUp(t.Context(), live); err != nil || !w.Has(client.ObjectKey{Namespace: "lab", Name: owner.Name}, "elsewhere") {
		t.Errorf("of all namespaces: %v", err)
	}
	refusing := interceptor.NewClient(live, interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return errors.New("not now")
		},
	})
	if err := watch.CatchUp(t.Context(), refusing); err == nil {
		t.Error("a list that fails is none")
	}
}
