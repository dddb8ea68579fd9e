// Package scaledjob makes ScaledJobs happen. A reconcile goes through the files of
// this package in order: triggers.go (decode and poll), then, on the replica that
// owns the object, rollout.go (Jobs of former specs go), decide.go (how many to
// start), batch.go and create.go (start them, never twice), status.go and
// history.go. watch.go says what causes a reconcile.
//
// Package strategy decides, package jobs knows what runs.
package scaledjob

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/flowcontrol"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/jobs"
	"github.com/freshet-io/freshet/controller/scaledobject"
	"github.com/freshet-io/freshet/controller/triggers"
	"github.com/freshet-io/freshet/controller/warm"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/poll"
)

// Reconciler reconciles ScaledJobs. Its fields are set once, before
// [Reconciler.Register].
type Reconciler struct {
	// Client reads from the cache, Live from the API server.
	Client client.Client
	Live   client.Reader
	// Cluster is what triggers read the cluster's objects from.
	Cluster client.Reader
	// Auth resolves authentications.
	Auth *auth.Resolver
	// Engine reads triggers, Store keeps what they read.
	Engine *poll.Engine
	Store  *store.Store
	// Jobs knows what runs, once Synced tells that it does: of Jobs, and with pods
	// of their pods too.
	Jobs   *jobs.Tracker
	Synced func(ctx context.Context, pods bool) (bool, error)
	// Rate bounds how fast Jobs are made.
	Rate flowcontrol.RateLimiter
	// Ownership tells which objects this replica decides on.
	Ownership poll.Ownership
	// Events records what happened.
	Events events.Recorder
	// Version is written on Jobs.
	Version string
	// Workers is how many objects are reconciled at a time.
	Workers int
	// Patience is how long nothing is said of an object whose triggers were not read
	// yet, so that one status tells of its first readings too.
	Patience time.Duration
	// Wakeups causes reconciles from outside.
	Wakeups *scaledobject.Wakeups

	warm warm.Set

	mu      sync.Mutex
	objects map[poll.Key]*object
}

// object is what is kept of an object while this replica owns it. Reconciles of one
// object come one after the other.
type object struct {
	// uid is its own, since is when this replica came to own it.
	uid   types.UID
	since time.Time
	// answered is when the newest reading began that Jobs were made for, and made
	// when they were decided on.
	answered, made time.Time
	// making is the batch that is being made, and stuck why it does not go on.
	making *making
	stuck  *stuck
	// last is the batch as this replica last knew it.
	last *kedav1alpha1.JobBatch
	// unwritten is the last error of writing the status, until it is written.
	unwritten string
}

// Key is how the engine and the store know an object.
func Key(name client.ObjectKey) poll.Key {
	return poll.Key{Kind: kedav1alpha1.KindScaledJob, Namespace: name.Namespace, Name: name.Name}
}

const (
	// faultRecheck is how often a fault is looked at again whose end no watch tells.
	faultRecheck = 30 * time.Second
	// conflictRecheck is when the cache should have what another one wrote.
	conflictRecheck = 5 * time.Millisecond
	// syncRecheck is how often it is looked whether all Jobs are known.
	syncRecheck = 20 * time.Millisecond
)

// errEarly tells that there is nothing to say of an object yet.
var errEarly = errors.New("the triggers are being read for the first time")

// errGone tells that the object was deleted meanwhile.
var errGone = errors.New("the object is gone")

// fault is something the user has to change; its text says what.
type fault string

// Error says what to change.
func (f fault) Error() string { return string(f) }

// Reconcile makes the Jobs that the object wants.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	defer r.warm.Mark(req.NamespacedName)
	key := Key(req.NamespacedName)
	sj := &kedav1alpha1.ScaledJob{}
	if err := r.Client.Get(ctx, req.NamespacedName, sj); err != nil {
		if apierrors.IsNotFound(err) {
			if err := r.tellDeleted(ctx, key); err != nil {
				return ctrl.Result{}, err
			}
			r.forget(key)
			r.Jobs.Forget(req.NamespacedName, time.Now())
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("reading ScaledJob: %w", err)
	}
	if !sj.DeletionTimestamp.IsZero() {
		r.Engine.Remove(key)
		r.Store.Remove(key)
		return ctrl.Result{}, r.release(ctx, sj)
	}
	all := r.resolve(ctx, sj)
	if sj.Paused() {
		r.Engine.Remove(key)
		r.Store.Remove(key)
	} else {
		r.register(key, sj, all)
	}
	if !poll.Owns(r.Ownership, key) {
		r.disown(key)
		r.Jobs.Forget(req.NamespacedName, time.Now().Add(-memory))
		return ctrl.Result{RequeueAfter: refresh(all)}, nil
	}
	recheck, err := r.own(ctx, sj, all)
	if apierrors.IsConflict(err) { // the object changed meanwhile: look again
		return ctrl.Result{RequeueAfter: conflictRecheck}, nil
	}
	return ctrl.Result{RequeueAfter: triggers.Sooner(recheck, refresh(all))}, err
}

// own does what only the owner of the object does. The error is a conflict when it
// was decided on old knowledge.
func (r *Reconciler) own(ctx context.Context, sj *kedav1alpha1.ScaledJob, all []*trigger) (time.Duration, error) {
	synced, err := r.Synced(ctx, needsPods(sj))
	if err != nil {
		return 0, fmt.Errorf("watching Jobs: %w", err)
	}
	if !synced {
		return syncRecheck, nil
	}
	now := time.Now()
	o := r.object(sj, now)
	d := &draft{ScaledJob: sj, before: sj.DeepCopy(), first: sj.DeepCopy()}
	sj.Status.Conditions.Initialize(sj.Generation, now)
	recheck, err := r.progress(ctx, d, o, all, now)
	var f fault
	switch {
	case errors.Is(err, errEarly): // the first readings cause a reconcile
		return r.Patience, nil
	case errors.Is(err, errGone):
		return 0, nil
	case errors.As(err, &f):
		r.reportFault(sj, f.Error(), now)
		recheck, err = faultRecheck, nil
	case apierrors.IsConflict(err):
		return 0, err
	case err != nil:
		r.reportFault(sj, err.Error(), now)
	}
	statusErr := d.write(ctx, r.Client)
	if errors.Is(statusErr, errGone) {
		return 0, nil
	}
	r.tellUnwritten(sj, o, statusErr)
	if statusErr != nil {
		return 0, statusErr
	}
	r.tellWatch(d.first, sj, all)
	return recheck, err
}

// progress brings the object as far as it goes. recheck is when time alone may
// change the outcome; 0 is never.
func (r *Reconciler) progress(ctx context.Context, d *draft, o *object, all []*trigger, now time.Time) (recheck time.Duration, err error) {
	sj := d.ScaledJob
	summarize(sj, all)
	if faults := sj.Validate(); len(faults) > 0 {
		return 0, fault(faults.ToAggregate().Error())
	}
	if sj.Paused() {
		r.pause(sj, o, now)
		return 0, nil
	}
	r.unpause(sj, now)
	if err := r.rollout(ctx, sj); err != nil {
		return 0, err
	}
	if r.early(o, all, now) {
		return 0, errEarly
	}
	r.reportWarnings(sj, all, now)
	if err := r.confirm(ctx, sj, now); err != nil {
		return 0, err
	}
	s := r.situation(sj, o, all, now)
	decision := s.decide(now)
	recheck, err = r.answer(ctx, d, o, s, decision, now)
	if err != nil {
		return 0, err
	}
	r.reportDecision(sj, all, o, decision, now)
	if !decision.Recheck.IsZero() {
		recheck = triggers.Sooner(recheck, max(time.Millisecond, decision.Recheck.Sub(now)))
	}
	if len(r.Jobs.Missing(client.ObjectKeyFromObject(sj), time.Now())) > 0 { // they may have gone
		recheck = triggers.Sooner(recheck, lost)
	}
	return recheck, r.clean(ctx, sj)
}

// early tells whether the triggers are about to be read for the first time since
// this replica owns the object.
func (r *Reconciler) early(o *object, all []*trigger, now time.Time) bool {
	if now.Sub(o.since) >= r.Patience {
		return false
	}
	for _, t := range all {
		if t.slot != nil && !t.slot.Reading().Known() {
			return true
		}
	}
	return false
}

// object is what is kept of an object, from now on if it was not yet. One of the
// same name that came in place of another begins anew.
func (r *Reconciler) object(sj *kedav1alpha1.ScaledJob, now time.Time) *object {
	key := Key(client.ObjectKeyFromObject(sj))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.objects == nil {
		r.objects = map[poll.Key]*object{}
	}
	o := r.objects[key]
	if o == nil || o.uid != sj.UID {
		o = &object{uid: sj.UID, since: now}
		r.objects[key] = o
	}
	return o
}

func (r *Reconciler) forget(key poll.Key) {
	r.Engine.Remove(key)
	r.Store.Remove(key)
	r.disown(key)
}

func (r *Reconciler) disown(key poll.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.objects, key)
}
