// Package admission holds new and changed objects to the rules before they are
// stored: those of package rules, and what the rest of the cluster says. It
// answers from the cache, by indexes, and calls nobody.
//
// A review goes through the files of this package in order: serve.go (what
// happens when there is no answer), review.go (which changes are looked at, and
// what is refused), then neighbours.go and requests.go, which look around.
package admission

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/checks"
	"github.com/freshet-io/freshet/controller/events"
)

// Counter counts reviews of ScaledObjects.
type Counter interface {
	// Reviewed counts one; action is create or update, reasons why it was refused,
	// each once.
	Reviewed(namespace, action string, reasons []string)
}

// Validator reviews objects. Its fields are set once, before
// [Validator.Register].
type Validator struct {
	// Reader is the cache.
	Reader client.Reader
	// Watches tells whether Freshet looks after an object; nil is all of them.
	Watches func(kind, namespace string, labels map[string]string) bool
	// Events records warnings on objects.
	Events events.Recorder
	// Counter counts reviews.
	Counter Counter

	ready atomic.Bool
}

// kind is how objects of one kind are reviewed.
type kind struct {
	// path is where its webhook is served.
	path string
	// empty makes an object of the kind.
	empty func() client.Object
	// check returns what is wrong with an object. The error is one of looking
	// around, not of the object.
	check func(ctx context.Context, v *Validator, obj client.Object) (*checks.Result, error)
	// same tells whether two objects ask for the same.
	same func(a, b client.Object) bool
}

// kinds are all that are reviewed, by kind.
var kinds = map[string]kind{
	kedav1alpha1.KindScaledObject: {
		path:  "/validate-keda-sh-v1alpha1-scaledobject",
		empty: func() client.Object { return &kedav1alpha1.ScaledObject{} },
		check: checkScaledObject, same: sameScaledObject,
	},
	kedav1alpha1.KindScaledJob: {
		path:  "/validate-keda-sh-v1alpha1-scaledjob",
		empty: func() client.Object { return &kedav1alpha1.ScaledJob{} },
		check: func(ctx context.Context, v *Validator, obj client.Object) (*checks.Result, error) {
			a := v.around(ctx, obj.GetNamespace())
			r := checks.ScaledJob(obj.(*kedav1alpha1.ScaledJob), a.Around)
			return r, a.err
		},
		same: func(a, b client.Object) bool {
			return equal(a.(*kedav1alpha1.ScaledJob).Spec, b.(*kedav1alpha1.ScaledJob).Spec)
		},
	},
	kedav1alpha1.KindTriggerAuthentication: {
		path:  "/validate-keda-sh-v1alpha1-triggerauthentication",
		empty: func() client.Object { return &kedav1alpha1.TriggerAuthentication{} },
		check: func(_ context.Context, _ *Validator, obj client.Object) (*checks.Result, error) {
			return checks.TriggerAuthentication(obj.(*kedav1alpha1.TriggerAuthentication)), nil
		},
		same: func(a, b client.Object) bool {
			return equal(a.(*kedav1alpha1.TriggerAuthentication).Spec, b.(*kedav1alpha1.TriggerAuthentication).Spec)
		},
	},
	kedav1alpha1.KindClusterTriggerAuthentication: {
		path:  "/validate-keda-sh-v1alpha1-clustertriggerauthentication",
		empty: func() client.Object { return &kedav1alpha1.ClusterTriggerAuthentication{} },
		check: func(_ context.Context, _ *Validator, obj client.Object) (*checks.Result, error) {
			return checks.ClusterTriggerAuthentication(obj.(*kedav1alpha1.ClusterTriggerAuthentication)), nil
		},
		same: func(a, b client.Object) bool {
			return equal(a.(*kedav1alpha1.ClusterTriggerAuthentication).Spec, b.(*kedav1alpha1.ClusterTriggerAuthentication).Spec)
		},
	},
}

// Register indexes the cache, and serves the webhooks on every replica once it
// is filled.
func (v *Validator) Register(ctx context.Context, mgr ctrl.Manager, server webhook.Server) error {
	if err := addIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("indexing: %w", err)
	}
	if _, err := mgr.GetCache().GetInformer(ctx, &corev1.LimitRange{}, cache.BlockUntilSynced(false)); err != nil {
		return fmt.Errorf("watching LimitRanges: %w", err)
	}
	for _, k := range kinds {
		server.Register(k.path, v.handler(k))
	}
	if err := errors.Join(mgr.Add(server), mgr.Add(afterCaches(func() { v.ready.Store(true) }))); err != nil {
		return fmt.Errorf("adding the webhook server: %w", err)
	}
	return nil
}

// afterCaches is called on every replica once the cache is filled.
type afterCaches func()

// Start calls it.
func (f afterCaches) Start(context.Context) error {
	f()
	return nil
}

// NeedLeaderElection is false.
func (afterCaches) NeedLeaderElection() bool { return false }
