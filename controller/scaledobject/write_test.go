package scaledobject

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
)

// TestCachedCountIsStale: the cache says that the workload is at zero, and it
// is not. What is live counts, and nothing is written.
func TestCachedCountIsStale(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
	w.settle("orders")
	w.read("orders", 0, 12)
	w.r.Targets.Client = staleClient{w.client}
	d := newDeployment("orders", 0)
	w.change(d, func() { d.Spec.Replicas = new(int32(5)) })
	w.settle("orders")
	w.expectScaled()
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionTrue, kedav1alpha1.ReasonScalerActive,
		"Scaling is performed because triggers are active")
}

// staleClient reads Deployments as they were at zero.
type staleClient struct{ client.Client }

// Get reads an object.
func (c staleClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	err := c.Client.Get(ctx, key, obj, opts...)
	if d, ok := obj.(*appsv1.Deployment); ok {
		d.Spec.Replicas = new(int32(0))
	}
	return err
}

// TestConflict: somebody changes the target between reading and writing it. The
// object is decided on anew, at once, and nothing is said to have happened.
func TestConflict(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
	w.settle("orders")
	w.read("orders", 0, 12)
	w.forgetPast()
	w.scales.before = func() error {
		return apierrors.NewConflict(schema.GroupResource{Resource: "deployments"}, "orders", errors.New("changed meanwhile"))
	}
	result := w.settle("orders")
	if result.RequeueAfter <= 0 || result.RequeueAfter > time.Second {
		t.Errorf("the object is looked at again after %s, want at once", result.RequeueAfter)
	}
	w.expectEvents()
	w.expectScaled()
	w.scales.before = nil
	w.settle("orders")
	w.expectScaled(3)
}

// TestScalingFails: the API server refuses the new count.
func TestScalingFails(t *testing.T) {
	cases := []struct {
		reason   string
		replicas int32
		value    float64
		event    string
	}{
		{"up", 0, 12, "Warning KEDAScaleTargetActivationFailed: Scaling apps/v1.Deployment shop/orders from 0 to 3: " +
			"scaling apps/v1.Deployment shop/orders: the server is down"},
		{"down", 2, 0, "Warning KEDAScaleTargetDeactivationFailed: Scaling apps/v1.Deployment shop/orders from 2 to 0: " +
			"scaling apps/v1.Deployment shop/orders: the server is down"},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t, newDeployment("orders", tc.replicas), newObject("orders"))
			w.settle("orders")
			w.read("orders", 0, tc.value)
			w.forgetPast()
			down := errors.New("the server is down")
			w.scales.before = func() error { return down }
			if _, err := w.reconcile("orders"); !errors.Is(err, down) {
				t.Errorf("the reconcile ends with %v, want the error so that it is tried again", err)
			}
			w.expectScaled()
			if got := w.events.take(); len(got) == 0 || got[0] != tc.event {
				t.Errorf("events (-want +got):\n%s", cmp.Diff([]string{tc.event}, got))
			}
		})
	}
}

// TestRecheck: when an object is looked at again though nothing happens.
func TestRecheck(t *testing.T) {
	custom := func(so *kedav1alpha1.ScaledObject) {
		so.Spec.ScaleTargetRef.APIVersion, so.Spec.ScaleTargetRef.Kind = rolloutGVK.GroupVersion().String(), rolloutGVK.Kind
	}
	cases := []struct {
		reason string
		edit   func(*kedav1alpha1.ScaledObject)
		value  float64
		want   time.Duration
	}{
		{"a workload that is watched needs no other look", func(*kedav1alpha1.ScaledObject) {}, 12, 0},
		{"one that is not watched is looked at in every interval", custom, 12, 30 * time.Second},
		{"the end of the cooldown is looked at", func(so *kedav1alpha1.ScaledObject) {
			so.Spec.InitialCooldownPeriod = new(int32(7 * 24 * 3600))
		}, 0, 6 * 24 * time.Hour},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t, newDeployment("orders", 2), newObject("orders", tc.edit))
			w.scales.others["orders"] = 2
			w.settle("orders")
			w.read("orders", 0, tc.value)
			// Time passes while tests wait for a processor.
			if got := w.settle("orders").RequeueAfter; got > tc.want || got < tc.want-tc.want/10 {
				t.Errorf("the object is looked at again after %s, want about %s", got, tc.want)
			}
		})
	}
}

// TestCustomTarget: a workload of another kind is read and scaled through its
// scale subresource.
func TestCustomTarget(t *testing.T) {
	w := newWorld(t, newObject("orders", func(so *kedav1alpha1.ScaledObject) {
		so.Spec.ScaleTargetRef.APIVersion, so.Spec.ScaleTargetRef.Kind = rolloutGVK.GroupVersion().String(), rolloutGVK.Kind
	}))
	w.scales.others["orders"] = 0
	w.settle("orders")
	w.read("orders", 0, 12)
	w.settle("orders")
	w.expectScaled(3)
	want := &kedav1alpha1.GroupVersionKindResource{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout", Resource: "rollouts"}
	if diff := cmp.Diff(want, w.object("orders").Status.ScaleTargetGVKR); diff != "" {
		t.Errorf("status.scaleTargetGVKR (-want +got):\n%s", diff)
	}
}

// TestLastActiveTime: the status says when the object became active, and once it
// is not any more, when that was seen last.
func TestLastActiveTime(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
	w.settle("orders")
	if got := w.object("orders").Status.LastActiveTime; got != nil {
		t.Errorf("a new object was last active at %s, want never", got)
	}
	w.read("orders", 0, 0)
	w.settle("orders")
	if got := w.object("orders").Status.LastActiveTime; got != nil {
		t.Errorf("an object that was never active was last active at %s, want never", got)
	}
	seen := time.Now().Add(time.Hour).Truncate(time.Second) // after it became active
	w.read("orders", 0, 3)
	w.settle("orders")
	became := w.object("orders").Status.LastActiveTime
	if became == nil || !became.Time.Before(seen) {
		t.Fatalf("an object that became active was last active at %v, want now", became)
	}
	w.slot("orders", 0).Put(scalers.Reading{Value: scalers.Number(3), Active: true, At: seen})
	w.settle("orders")
	if got := w.object("orders").Status.LastActiveTime; !got.Equal(became) {
		t.Errorf("while active, the time is written again: %s, want %s", got, became)
	}
	w.slot("orders", 0).Put(scalers.Reading{At: seen.Add(time.Minute)})
	w.settle("orders")
	if got := w.object("orders").Status.LastActiveTime; got == nil || !got.Time.Equal(seen) {
		t.Errorf("an object that is not active any more was last active at %v, want %s", got, seen)
	}
}

// TestMetricTypes: what a reading asks for depends on whether its target is for
// one replica or for all together.
func TestMetricTypes(t *testing.T) {
	for metricType, want := range map[autoscalingv2.MetricTargetType]int32{
		"": 3, autoscalingv2.AverageValueMetricType: 3, autoscalingv2.ValueMetricType: 6,
	} {
		w := newWorld(t, newDeployment("orders", 0), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
			so.Spec.MinReplicaCount, so.Spec.IdleReplicaCount = new(int32(3)), new(int32(0))
			so.Spec.Triggers[0].MetricType = metricType
		}))
		w.settle("orders")
		w.read("orders", 0, 10)
		w.settle("orders")
		w.expectScaled(want)
	}
}

// TestFallbackZero: failures are counted from reading to reading.
func TestFallbackZero(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 3), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Fallback = &kedav1alpha1.Fallback{FailureThreshold: 2, Replicas: 0}
	}))
	w.settle("orders")
	for range 2 {
		w.fails("orders", 0, errors.New("no answer"))
		w.settle("orders")
		w.expectScaled()
	}
	w.fails("orders", 0, errors.New("no answer"))
	w.settle("orders")
	w.expectScaled(0)
}

// TestPausedScaleOutKeepsActivity: a trigger that is active is said to be,
// though the workload stays at zero.
func TestPausedScaleOutKeepsActivity(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withAnnotation(kedav1alpha1.AnnotationPausedScaleOut, "true")))
	w.settle("orders")
	w.read("orders", 0, 12)
	w.settle("orders")
	w.expectScaled()
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionTrue, kedav1alpha1.ReasonScalerActive,
		"Triggers are active, and scaling out is paused")
}
