package scaledobject

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/scale"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/scalers"
)

func init() {
	scalers.Register(scalers.Kind[desk, *tray]{
		Types: []string{"tray"}, Category: "test", Since: "0.1.0", Label: "trayScaler",
		Example: map[string]string{"name": "orders"},
	})
}

// tray is a trigger without a source: tests put its readings into the store.
type tray struct {
	// Name of the tray.
	Name string `param:"name"`
	// Sheets that one replica should handle.
	Sheets float64 `param:"sheets" from:"metadata,env" default:"5" role:"target"`
	// Sheets above which the workload leaves zero.
	Activation float64 `param:"activationSheets,optional" role:"activation"`
	// Colour of the tray.
	Colour string `param:"colour,optional" deprecated:"trays are colourless now"`
}

// Source is the desk.
func (t *tray) Source() scalers.Source[desk] { return desk{} }

// Stem names the tray.
func (t *tray) Stem() string { return "tray-" + t.Name }

// Read is not called: no engine runs.
func (t *tray) Read(context.Context, desk) (scalers.Value, error) {
	return scalers.Value{}, errors.New("a tray cannot be read")
}

// desk is where trays are. It is its own connection.
type desk struct{}

// String names the desk.
func (desk) String() string { return "desk" }

// Open opens it.
func (d desk) Open(context.Context) (desk, error) { return d, nil }

// Close closes it.
func (desk) Close() error { return nil }

// recorder keeps events as "type reason: message".
type recorder struct{ recorded []string }

// Eventf keeps one.
func (r *recorder) Eventf(_, _ runtime.Object, eventtype, reason, _, note string, args ...any) {
	r.recorded = append(r.recorded, fmt.Sprintf("%s %s: %s", eventtype, reason, fmt.Sprintf(note, args...)))
}

// take returns the events since it was last called.
func (r *recorder) take() []string {
	recorded := r.recorded
	r.recorded = nil
	return recorded
}

// scales are the scale subresources of Deployments, and of other workloads that
// are no objects.
type scales struct {
	client client.Client
	// others are the replicas of other workloads, by name.
	others map[string]int32
	// written are the counts that were written.
	written []int32
	// before is called before an update; an error fails it.
	before func() error
	// failGet is the error of every read.
	failGet error
}

// Scales returns those of a namespace.
func (s *scales) Scales(namespace string) scale.ScaleInterface { return scalesOf{s, namespace} }

type scalesOf struct {
	*scales
	namespace string
}

// Get reads one.
func (s scalesOf) Get(ctx context.Context, resource schema.GroupResource, name string, _ metav1.GetOptions) (*autoscalingv1.Scale, error) {
	if s.failGet != nil {
		return nil, s.failGet
	}
	got := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	if resource.Resource != "deployments" {
		replicas, ok := s.others[name]
		if !ok {
			return nil, apierrors.NewNotFound(resource, name)
		}
		got.Spec.Replicas = replicas
		return got, nil
	}
	var d appsv1.Deployment
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, &d); err != nil {
		return nil, err
	}
	got.ResourceVersion = d.ResourceVersion
	got.Spec.Replicas = 1
	if d.Spec.Replicas != nil {
		got.Spec.Replicas = *d.Spec.Replicas
	}
	return got, nil
}

// Update writes one, if it is as it was read.
func (s scalesOf) Update(ctx context.Context, resource schema.GroupResource, next *autoscalingv1.Scale, _ metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	if s.before != nil {
		if err := s.before(); err != nil {
			return nil, err
		}
	}
	if resource.Resource != "deployments" {
		s.others[next.Name] = next.Spec.Replicas
		s.written = append(s.written, next.Spec.Replicas)
		return next, nil
	}
	var d appsv1.Deployment
	if err := s.client.Get(ctx, client.ObjectKeyFromObject(next), &d); err != nil {
		return nil, err
	}
	if next.ResourceVersion != d.ResourceVersion {
		return nil, apierrors.NewConflict(resource, next.Name, fmt.Errorf("it is at %s by now", d.ResourceVersion))
	}
	d.Spec.Replicas = &next.Spec.Replicas
	if err := s.client.Update(ctx, &d); err != nil {
		return nil, err
	}
	s.written = append(s.written, next.Spec.Replicas)
	return next, nil
}

// Patch is not used.
func (s scalesOf) Patch(context.Context, schema.GroupVersionResource, string, types.PatchType, []byte, metav1.PatchOptions) (*autoscalingv1.Scale, error) {
	return nil, errors.New("scales are not patched")
}
