package scaledobject

import (
	"context"
	"maps"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// hpaChanged passes changes by hand, of the replicas, and of whether the HPA is
// able to scale; the HPA's own bookkeeping does not matter.
var hpaChanged = predicate.Funcs{
	CreateFunc: func(event.CreateEvent) bool { return false }, // ours
	UpdateFunc: func(e event.UpdateEvent) bool {
		a, ok1 := e.ObjectOld.(*autoscalingv2.HorizontalPodAutoscaler)
		b, ok2 := e.ObjectNew.(*autoscalingv2.HorizontalPodAutoscaler)
		if !ok1 || !ok2 {
			return true
		}
		return byHand(a, b) || a.Status.CurrentReplicas != b.Status.CurrentReplicas || scalingActive(a) != scalingActive(b)
	},
}

// byHand tells whether more than the status of an HPA changed.
func byHand(a, b *autoscalingv2.HorizontalPodAutoscaler) bool {
	return !equality.Semantic.DeepEqual(a.Spec, b.Spec) ||
		!maps.Equal(a.Labels, b.Labels) || !maps.Equal(a.Annotations, b.Annotations) ||
		!equality.Semantic.DeepEqual(a.OwnerReferences, b.OwnerReferences)
}

func scalingActive(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	for _, c := range hpa.Status.Conditions {
		if c.Type == autoscalingv2.ScalingActive {
			return string(c.Status) + c.Reason
		}
	}
	return ""
}

// ownerOfHPA has the owner of an HPA reconciled. What the HPA controller alone changed
// lets new objects, new readings and everything else go first.
type ownerOfHPA struct{ handler.EventHandler }

func byHPA(mgr ctrl.Manager) handler.EventHandler {
	return ownerOfHPA{handler.EnqueueRequestForOwner(mgr.GetScheme(), mgr.GetRESTMapper(), &kedav1alpha1.ScaledObject{}, handler.OnlyControllerOwner())}
}

// Update is called when an HPA changed.
func (o ownerOfHPA) Update(ctx context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	a, ok1 := e.ObjectOld.(*autoscalingv2.HorizontalPodAutoscaler)
	b, ok2 := e.ObjectNew.(*autoscalingv2.HorizontalPodAutoscaler)
	if q, ok := queue.(priorityqueue.PriorityQueue[reconcile.Request]); ok && ok1 && ok2 && !byHand(a, b) {
		queue = patient{q}
	}
	o.EventHandler.Update(ctx, e, queue)
}

// patient is a queue to which all is added behind the rest.
type patient struct {
	priorityqueue.PriorityQueue[reconcile.Request]
}

// AddWithOpts adds requests. What wraps the queue adds by this alone.
func (p patient) AddWithOpts(o priorityqueue.AddOpts, requests ...reconcile.Request) {
	o.Priority = new(handler.LowPriority)
	p.PriorityQueue.AddWithOpts(o, requests...)
}

// Add adds a request.
func (p patient) Add(request reconcile.Request) { p.AddWithOpts(priorityqueue.AddOpts{}, request) }
