// Package scaledobject makes ScaledObjects happen. A reconcile goes through the
// files of this package in order: triggers.go (decode and poll), then, on the
// replica that owns the object, check.go, hpa.go, scale.go and status.go;
// finalize.go and gone.go are the way out and watch.go says what causes a reconcile.
package scaledobject

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/ledger"
	"github.com/freshet-io/freshet/controller/target"
	"github.com/freshet-io/freshet/controller/warm"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/poll"
)

// Reconciler reconciles ScaledObjects. Its fields are set once, before
// [Reconciler.Register].
type Reconciler struct {
	// Client reads from the cache, Live from the API server.
	Client client.Client
	Live   client.Reader
	// Cluster is what triggers read the cluster's objects from. A cache tells them
	// of changes too.
	Cluster client.Reader
	// Targets scales workloads.
	Targets *target.Client
	// Auth resolves authentications.
	Auth *auth.Resolver
	// Engine reads triggers, Store keeps what they read.
	Engine *poll.Engine
	Store  *store.Store
	// Rules has the formulas and fallbacks, which the metrics adapter goes by too.
	Rules *rules.Book
	// Ownership tells which objects this replica decides on.
	Ownership poll.Ownership
	// Events records what happened.
	Events events.Recorder
	// Ledger keeps what is decided; nil keeps nothing.
	Ledger *ledger.Ledger
	// Version is written on HPAs.
	Version string
	// Workers is how many objects are reconciled at a time.
	Workers int
	// Patience is how long nothing is said of an object that is new and was not read
	// yet, so that one status tells of its first readings too. After a restart it
	// keeps objects from being written twice without a change.
	Patience time.Duration
	// Wakeups causes reconciles from outside.
	Wakeups *Wakeups

	warm warm.Set

	mu sync.Mutex
	// owned is since when this replica owns an object and reads it on schedule.
	owned map[poll.Key]time.Time
	// restored is since when the replicas that an object gives back are the original.
	restored map[poll.Key]time.Time
	// formulas are those that were compiled.
	formulas map[poll.Key]*compiled
	// unwritten are the last errors of writing objects that cannot be written.
	unwritten map[client.ObjectKey]string
	// gone are objects that were deleted.
	gone departures
}

// Key is how the engine and the store know an object.
func Key(name client.ObjectKey) poll.Key {
	return poll.Key{Kind: kedav1alpha1.KindScaledObject, Namespace: name.Namespace, Name: name.Name}
}

// Reconcile makes the world as the object wants it.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	defer r.warm.Mark(req.NamespacedName)
	if err := r.seeOff(ctx, req.NamespacedName); err != nil {
		return ctrl.Result{}, err
	}
	key := Key(req.NamespacedName)
	so := &kedav1alpha1.ScaledObject{}
	if err := r.Client.Get(ctx, req.NamespacedName, so); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(key)
			r.forgetRestored(key)
			r.recordEnd(key, time.Now())
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("reading ScaledObject: %w", err)
	}
	if !so.DeletionTimestamp.IsZero() {
		r.forget(key)
		if !poll.Owns(r.Ownership, key) {
			return ctrl.Result{}, nil
		}
		return r.finalize(ctx, so)
	}
	triggers := r.resolve(ctx, so)
	var ru *rules.Rules
	if so.Paused() {
		r.forget(key)
	} else {
		r.register(key, so, triggers)
		ru = r.rule(ctx, key, so, triggers, time.Now())
	}
	if !poll.Owns(r.Ownership, key) {
		r.disown(key)
		return ctrl.Result{RequeueAfter: refresh(triggers)}, nil
	}
	return r.own(ctx, so, triggers, ru)
}

// own does what only the owner of the object does.
func (r *Reconciler) own(ctx context.Context, so *kedav1alpha1.ScaledObject, triggers []*trigger, ru *rules.Rules) (ctrl.Result, error) {
	recheck, err := r.decideAndReport(ctx, so, triggers, ru)
	if apierrors.IsConflict(err) { // the object or its target changed meanwhile: look again
		return ctrl.Result{RequeueAfter: conflictRecheck}, nil
	}
	return ctrl.Result{RequeueAfter: sooner(sooner(recheck, refresh(triggers)), fallbackBegins(ru, time.Now()))}, err
}

const (
	// faultRecheck is how often a fault is looked at again whose end no watch tells.
	faultRecheck = 30 * time.Second
	// conflictRecheck is when the cache should have what another one wrote.
	conflictRecheck = 5 * time.Millisecond
)

// knownObject is how many times as patient one is with an object of which something
// is said: a source that does not answer takes seconds to say so.
const knownObject = 20

// errEarly tells that there is nothing to say of an object yet.
var errEarly = errors.New("the triggers are being read for the first time")

// early tells whether the triggers of an object are about to be read for the first
// time since this replica owns it: there is nothing to say then. What was said
// before it did stays for longer.
func (r *Reconciler) early(so *kedav1alpha1.ScaledObject, triggers []*trigger, now time.Time) bool {
	unread := func(t *trigger) bool { return t.err == nil && t.slot != nil && !t.slot.Reading().Known() }
	patience := r.Patience
	if so.Status.HpaName != "" {
		patience *= knownObject
	}
	return slices.ContainsFunc(triggers, unread) && now.Sub(r.ownedSince(Key(client.ObjectKeyFromObject(so)), now)) < patience
}

// decideAndReport brings the object as far as it goes and says on it how far
// that is. The error is a conflict when the decision was made on old knowledge.
func (r *Reconciler) decideAndReport(ctx context.Context, so *kedav1alpha1.ScaledObject, triggers []*trigger, ru *rules.Rules) (time.Duration, error) {
	if err := r.adopt(ctx, so); err != nil {
		r.tellUnwritten(so, err)
		return 0, err
	}
	before := so.DeepCopy()
	told, now := before.Status, time.Now()
	so.Status.Conditions.Initialize(so.Generation, now)
	recheck, err := r.progress(ctx, before, so, triggers, ru, now)
	var f *fault
	switch {
	case errors.Is(err, errEarly): // the first readings cause a reconcile
		return r.Patience, nil
	case errors.As(err, &f):
		r.reportFault(so, f, now)
		recheck, err = faultRecheck, nil
	case apierrors.IsConflict(err):
		return 0, err
	case err != nil:
		r.reportFault(so, outage(err), now)
	}
	statusErr := r.writeStatus(ctx, before, so)
	r.tellUnwritten(so, statusErr)
	if statusErr != nil {
		return 0, statusErr
	}
	r.tellWatch(&told, so, triggers)
	return recheck, err
}

// progress brings the object as far as it goes. The error is a *fault when the
// user has to change something. recheck is when time alone may change the
// outcome; 0 is never. before is the object as the API server has it.
func (r *Reconciler) progress(ctx context.Context, before, so *kedav1alpha1.ScaledObject, triggers []*trigger, ru *rules.Rules, now time.Time) (recheck time.Duration, err error) {
	early := r.early(so, triggers, now)
	summarize(so, triggers)
	if !early {
		r.reportWarnings(so, triggers, now)
	}
	tgt, err := r.check(ctx, so)
	if err != nil {
		return 0, err
	}
	if wait, err := r.move(ctx, so, tgt); err != nil || wait > 0 {
		return wait, err
	}
	replicas, err := r.observe(ctx, so, tgt)
	if err != nil {
		return 0, err
	}
	if so.Paused() {
		return 0, r.pause(ctx, before, so, tgt, replicas, now)
	}
	r.unpause(so, now)
	if err := hopeless(so, triggers, ru); err != nil {
		return 0, err
	}
	s := r.situation(so, triggers, ru, replicas, now)
	d := s.decide(now)
	if so.RestoresReplicas() || (d.Replicas != nil && !early) {
		if err := r.keepOriginal(ctx, before, so, tgt); err != nil {
			return 0, err
		}
	}
	hpa, err := r.ensureHPA(ctx, so, tgt.GVKR, triggers, d.Outcome, replicas)
	if err != nil {
		return 0, err
	}
	if early {
		return 0, errEarly
	}
	so.Status.HpaName = so.HPAName()
	mirrorHPA(so, hpa, now)
	return r.scale(ctx, so, tgt, triggers, ru, s, now)
}

func (r *Reconciler) forget(key poll.Key) {
	r.Engine.Remove(key)
	r.Store.Remove(key)
	r.Rules.Set(key, nil)
	r.mu.Lock()
	delete(r.formulas, key)
	delete(r.unwritten, Name(key))
	r.mu.Unlock()
	r.disown(key)
}

// ownedSince is since when this replica owns the object: now, if it did not yet.
func (r *Reconciler) ownedSince(key poll.Key, now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owned == nil {
		r.owned = map[poll.Key]time.Time{}
	}
	if r.owned[key].IsZero() {
		r.owned[key] = now
	}
	return r.owned[key]
}

func (r *Reconciler) disown(key poll.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.owned, key)
}

// Warm returns nil once every object that exists was reconciled since the
// process began, so that the adapter answers for all of them.
func (r *Reconciler) Warm(ctx context.Context) error {
	return r.warm.Check(ctx, r.Client, &kedav1alpha1.ScaledObjectList{}, kedav1alpha1.KindScaledObject)
}

// Name is the object that key names.
func Name(key poll.Key) client.ObjectKey {
	return client.ObjectKey{Namespace: key.Namespace, Name: key.Name}
}
