package kube_test

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/scalers"
)

// raw is an object as it goes over the wire.
func raw(obj client.Object) k8sruntime.RawExtension {
	kind := map[bool]string{true: "Pod", false: "ConfigMap"}[isPod(obj)]
	fields, err := k8sruntime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		panic(err)
	}
	fields["kind"], fields["apiVersion"] = kind, "v1"
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return k8sruntime.RawExtension{Raw: text}
}

func isPod(obj client.Object) bool {
	_, ok := obj.(*corev1.Pod)
	return ok
}

// eventually waits for what should take moments.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if check() {
			return
		}
	}
	t.Fatalf("%s does not come", what)
}

// TestPodsAreNeverZeroBeforeTheyAreKnown: until the cache has all pods there is an
// error within the deadline, and then their number.
func TestPodsAreNeverZeroBeforeTheyAreKnown(t *testing.T) {
	for _, mode := range []string{"silent", "forbid"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			server, cached := newAPI(t)
			server.has("pods", pod("a", "orders", "n", corev1.PodRunning), pod("b", "orders", "n", corev1.PodRunning))
			server.setMode(mode)
			s := decode(t, "kubernetes-workload", m{"podSelector": "app=orders", "value": "1"}, at(cached))
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				began := time.Now()
				out, err := read(ctx, t, s)
				cancel()
				if err == nil || scalers.ClassOf(err) != scalers.Unavailable || !strings.Contains(err.Error(), "list and watch") {
					t.Fatalf("got %+v, %v; want an error that says what is missing", out, err)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %s to notice a deadline of 200 ms", took)
				}
			}
			server.setMode("")
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			out, err := read(ctx, t, s)
			if err != nil || out[0].Err != nil || out[0].Value.Metric != 2 {
				t.Fatalf("got %+v, %v; want 2", out, err)
			}
			eventually(t, "the watch", func() bool { return server.watched("pods") })
			server.tell("pods", "ADDED", pod("c", "orders", "n", corev1.PodPending))
			server.tell("pods", "MODIFIED", pod("a", "orders", "n", corev1.PodSucceeded))
			server.tell("pods", "DELETED", pod("b", "orders", "n", corev1.PodRunning))
			eventually(t, "the only pod that is left", func() bool {
				out, err := read(ctx, t, s)
				return err == nil && out[0].Value.Metric == 1
			})
		})
	}
}

// TestOnlyWhatIsReadIsCached: pods are listed when a trigger reads them first.
func TestOnlyWhatIsReadIsCached(t *testing.T) {
	t.Parallel()
	server, cached := newAPI(t)
	server.has("configmaps", held("ConfigMap", m{"n": "7"}))
	out, err := read(t.Context(), t, backlog(t, cached, "ConfigMap", nil))
	if err != nil || out[0].Value.Metric != 7 {
		t.Fatalf("got %+v, %v; want 7", out, err)
	}
	if got := server.listed(); got != "configmaps" {
		t.Errorf("the cache listed %q, want configmaps only", got)
	}
}

// TestResourceTellsOfChanges: whoever listens to an object is told when it
// changes, and nobody else; all end with their contexts.
func TestResourceTellsOfChanges(t *testing.T) {
	server, cached := newAPI(t)
	server.has("configmaps", held("ConfigMap", m{"n": "1"}))
	s := backlog(t, cached, "ConfigMap", nil)
	other := decode(t, "kubernetes-resource", m{"resourceKind": "ConfigMap", "resourceName": "other", "key": "n", "targetValue": "1"}, at(cached))
	conn, err := s.Source.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := read(t.Context(), t, s); err != nil || out[0].Value.Metric != 1 {
		t.Fatalf("got %+v, %v; want 1", out, err)
	}
	eventually(t, "the watch", func() bool { return server.watched("configmaps") })
	before := runtime.NumGoroutine()

	ctx, cancel := context.WithCancel(t.Context())
	var told [3]atomic.Int32
	ended := make(chan error, len(told))
	for i, listener := range []*scalers.Scaler{s, s, other} {
		go func() {
			ended <- listener.Watch(ctx, conn, func(active bool) {
				if active {
					t.Error("a change says that it is active")
				}
				told[i].Add(1)
			})
		}()
	}
	eventually(t, "the first word", func() bool { return told[0].Load() > 0 && told[1].Load() > 0 && told[2].Load() > 0 })
	time.Sleep(50 * time.Millisecond) // the list that the handler is given
	first := [3]int32{told[0].Load(), told[1].Load(), told[2].Load()}

	server.tell("configmaps", "MODIFIED", held("ConfigMap", m{"n": "2"}))
	eventually(t, "word of the change", func() bool { return told[0].Load() == first[0]+1 && told[1].Load() == first[1]+1 })
	if out, err := read(t.Context(), t, s); err != nil || out[0].Value.Metric != 2 {
		t.Errorf("when told, it reads %+v, %v; want 2", out, err)
	}
	server.tell("configmaps", "DELETED", held("ConfigMap", m{"n": "2"}))
	eventually(t, "word of the end", func() bool { return told[0].Load() == first[0]+2 })
	if got := told[2].Load(); got != first[2] {
		t.Errorf("another object's listener is told %d times of this one", got-first[2])
	}

	cancel()
	for range told {
		if err := <-ended; err == nil {
			t.Error("a canceled watch ends well")
		}
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "the end of all goroutines", func() bool { return runtime.NumGoroutine() <= before })
	server.tell("configmaps", "ADDED", held("ConfigMap", m{"n": "3"}))
	time.Sleep(50 * time.Millisecond)
	if got := told[0].Load(); got != first[0]+2 {
		t.Error("a listener is told after its end")
	}
}

// TestWatchWithoutInformers: where no cache tells of changes the watch waits.
func TestWatchWithoutInformers(t *testing.T) {
	s := backlog(t, &lists{}, "ConfigMap", nil)
	conn, err := s.Source.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Watch(ctx, conn, func(bool) { t.Error("it is told") }); err == nil {
		t.Error("a watch ends well")
	}
}
