package auth

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
)

// Options say how authentications are resolved. Zero values are the defaults.
type Options struct {
	// ClusterNamespace is where a ClusterTriggerAuthentication finds what it
	// refers to.
	ClusterNamespace string
	// OwnNamespace is Freshet's. With RestrictSecrets no Secret of another
	// namespace is read.
	OwnNamespace    string
	RestrictSecrets bool
	// FileRoot is the folder that filePath is relative to; "" allows no files.
	FileRoot string
	// TokenLife is how long a bound ServiceAccount token is asked to live.
	// Default: 1 h.
	TokenLife time.Duration
	// RefreshPeriod is how often a remote store or a file is asked again.
	// Default: 1 min.
	RefreshPeriod time.Duration
	// Timeout bounds a resolve, and each call to a remote store. Default: 3 s.
	Timeout time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Log is told when a store stops answering and when it is back. Default:
	// discarded.
	Log *slog.Logger
}

// Resolver reads authentications and what they refer to. Its fields are set
// before the first resolve. It is safe for concurrent use.
type Resolver struct {
	Options
	// Reader reads the cluster's objects, from a cache where there is one.
	Reader client.Reader
	// Live reads ServiceAccounts, of which no cache is kept. Default: Reader.
	Live client.Reader
	// Tokens requests tokens of ServiceAccounts; a client.Client does.
	Tokens client.SubResourceClientConstructor

	cache cache
}

// Workload is what an authentication may take from the target of an object.
type Workload struct {
	// Namespace is the object's.
	Namespace string
	// Container names the container whose environment counts; "" is the first.
	Container string
	// PodSpec returns the target's pod template, or nil when it has none.
	PodSpec func(ctx context.Context) (*corev1.PodSpec, error)
}

// Resolve returns what ref gives a trigger of the workload; nothing when ref is
// nil. An error names what is missing and is of class Configuration, or
// Authentication when a store refuses, or Unavailable when the cluster or a
// store could not be asked; Refresh then says when to try again.
func (r *Resolver) Resolve(ctx context.Context, w Workload, ref *kedav1alpha1.AuthenticationRef) (Resolved, error) {
	if ref == nil {
		return Resolved{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout())
	defer cancel()
	q := &Request{resolver: r, workload: w, cluster: ref.EffectiveKind() == kedav1alpha1.KindClusterTriggerAuthentication}
	if err := q.find(ctx, ref); err != nil {
		return Resolved{}, err
	}
	if err := q.run(ctx); err != nil {
		return Resolved{Refresh: q.refresh}, fmt.Errorf("%s %s: %w", ref.EffectiveKind(), ref.Name, err)
	}
	return Resolved{Params: q.params, Identity: q.identity, Refresh: q.refresh}, nil
}

// find reads the authentication and tells where what it refers to is.
func (q *Request) find(ctx context.Context, ref *kedav1alpha1.AuthenticationRef) error {
	r := q.resolver
	switch ref.EffectiveKind() {
	case kedav1alpha1.KindTriggerAuthentication:
		var ta kedav1alpha1.TriggerAuthentication
		if err := r.get(ctx, q.workload.Namespace, ref.Name, &ta, "TriggerAuthentication", "authenticationRef"); err != nil {
			return err
		}
		q.Spec, q.Namespace = &ta.Spec, q.workload.Namespace
	case kedav1alpha1.KindClusterTriggerAuthentication:
		var cta kedav1alpha1.ClusterTriggerAuthentication
		if err := r.get(ctx, "", ref.Name, &cta, "ClusterTriggerAuthentication", "authenticationRef"); err != nil {
			return err
		}
		q.Spec, q.Namespace = &cta.Spec, r.ClusterNamespace
	default:
		return scalers.ConfigurationError(
			"authenticationRef has the kind %q: use TriggerAuthentication or ClusterTriggerAuthentication", ref.Kind)
	}
	return nil
}

// get reads an object and says, when it is missing, who asked for it.
func (r *Resolver) get(ctx context.Context, namespace, name string, obj client.Object, kind, asker string) error {
	return explainGet(r.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, obj), namespace, name, kind, asker)
}

func explainGet(err error, namespace, name, kind, asker string) error {
	where := ""
	if namespace != "" {
		where = " in namespace " + namespace
	}
	switch {
	case apierrors.IsNotFound(err):
		return scalers.ConfigurationError("%s names %s %q, which does not exist%s", asker, kind, name, where)
	case err != nil:
		return scalers.UnavailableError("reading %s %q%s: %w", kind, name, where, err)
	}
	return nil
}

func (r *Resolver) timeout() time.Duration { return orDefault(r.Timeout, 3*time.Second) }

func (r *Resolver) refreshPeriod() time.Duration { return orDefault(r.RefreshPeriod, time.Minute) }

func (r *Resolver) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

func (r *Resolver) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
