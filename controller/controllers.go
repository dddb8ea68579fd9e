// Package controller decides and writes: it turns ScaledObjects into HPAs, takes
// workloads between zero and their first replicas, makes the Jobs of ScaledJobs, and
// says on the objects what it did and why.
package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/util/flowcontrol"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/certificates"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/explanations"
	"github.com/freshet-io/freshet/controller/jobs"
	"github.com/freshet-io/freshet/controller/ledger"
	"github.com/freshet-io/freshet/controller/metrics"
	"github.com/freshet-io/freshet/controller/scaledjob"
	"github.com/freshet-io/freshet/controller/scaledobject"
	"github.com/freshet-io/freshet/controller/target"
	"github.com/freshet-io/freshet/controller/triggerauth"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/poll"
)

// Options are what the controllers need from outside.
type Options struct {
	// Engine and Store are shared with the metrics adapter.
	Engine *poll.Engine
	Store  *store.Store
	// Rules has the formulas and fallbacks, shared with the metrics adapter.
	Rules *rules.Book
	// Leader becomes the owner of all objects when this replica is elected.
	Leader *poll.Leader
	// Wakeups is told of readings that changed what an object asks for.
	Wakeups *scaledobject.Wakeups
	// JobWakeups is the same for ScaledJobs.
	JobWakeups *scaledobject.Wakeups
	// Jobs has the Jobs and pods of ScaledJobs, and nothing else.
	Jobs cache.Cache
	// Auth says how authentications are resolved.
	Auth auth.Options
	// Namespaces are those that are looked after; nil is all.
	Namespaces []string
	// Workers is how many ScaledObjects are reconciled at a time.
	Workers int
	// JobWorkers is how many ScaledJobs are.
	JobWorkers int
	// Build says what is running; its version is written on HPAs.
	Build metrics.Build
	// Webhooks review objects at admission; nil reviews none.
	Webhooks *Webhooks
	// Certificate keeps the certificate that webhooks and external metrics are
	// served with; nil when it comes from elsewhere.
	Certificate *certificates.Keeper
}

// Controllers are what runs.
type Controllers struct {
	// ScaledObject reconciles ScaledObjects.
	ScaledObject *scaledobject.Reconciler
	// ScaledJob reconciles ScaledJobs.
	ScaledJob *scaledjob.Reconciler
	// Explanations finds what is known of an object.
	Explanations *explanations.Gatherer

	jobs *jobs.Watch
}

// Register adds everything that runs to the manager: this is the one list.
func Register(ctx context.Context, mgr ctrl.Manager, o Options) (*Controllers, error) {
	resolver := scale.NewDiscoveryScaleKindResolver(discovery.NewDiscoveryClientForConfigOrDie(mgr.GetConfig()))
	scales, err := scale.NewForConfig(mgr.GetConfig(), mgr.GetRESTMapper(), dynamic.LegacyAPIPathResolverFunc, resolver)
	if err != nil {
		return nil, fmt.Errorf("making the scale client: %w", err)
	}
	sink, err := events.NewSink(mgr, "freshet")
	if err != nil {
		return nil, fmt.Errorf("preparing events: %w", err)
	}
	c := &Controllers{ScaledObject: &scaledobject.Reconciler{
		Client:    mgr.GetClient(),
		Live:      mgr.GetAPIReader(),
		Cluster:   mgr.GetCache(),
		Targets:   &target.Client{Client: mgr.GetClient(), Scales: scales},
		Auth:      &auth.Resolver{Options: o.Auth, Reader: mgr.GetClient(), Live: mgr.GetAPIReader(), Tokens: mgr.GetClient()},
		Engine:    o.Engine,
		Store:     o.Store,
		Rules:     o.Rules,
		Ownership: o.Leader,
		Events:    events.Recorder{Sink: sink},
		Ledger:    ledger.New(ledger.DefaultBounds()),
		Version:   o.Build.Version,
		Workers:   o.Workers,
		Patience:  300 * time.Millisecond,
		Wakeups:   o.Wakeups,
	}}
	if err := c.ScaledObject.Register(ctx, mgr); err != nil {
		return nil, fmt.Errorf("registering the ScaledObject controller: %w", err)
	}
	if err := c.registerJobs(ctx, mgr, o); err != nil {
		return nil, err
	}
	if err := c.explain(ctx, mgr, o); err != nil {
		return nil, fmt.Errorf("registering the explanations: %w", err)
	}
	for _, cluster := range []bool{false, true} {
		users := &triggerauth.Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Cluster: cluster, Events: c.ScaledObject.Events}
		if err := users.Register(mgr); err != nil {
			return nil, fmt.Errorf("registering the %s controller: %w", users.Kind(), err)
		}
	}
	if o.Certificate != nil {
		if err := errors.Join(mgr.Add(o.Certificate), ctrlmetrics.Registry.Register(metrics.NewCertificate(o.Certificate.Expires))); err != nil {
			return nil, fmt.Errorf("adding the certificate: %w", err)
		}
	}
	if o.Webhooks != nil {
		if err := o.Webhooks.register(ctx, mgr); err != nil {
			return nil, fmt.Errorf("registering the admission webhooks: %w", err)
		}
	}
	if err := mgr.Add(&election{client: mgr.GetClient(), live: mgr.GetAPIReader(), jobs: c.jobs, options: o}); err != nil {
		return nil, fmt.Errorf("registering the election: %w", err)
	}
	if err := ctrlmetrics.Registry.Register(metrics.NewCollector(o.Build, o.Store, o.Engine, o.Rules, mgr.GetClient())); err != nil {
		return nil, fmt.Errorf("registering self-metrics: %w", err)
	}
	requests, err := metrics.NewHTTP(ctrlmetrics.Registry)
	if err != nil {
		return nil, fmt.Errorf("registering self-metrics: %w", err)
	}
	conn.Defaults.OnHTTP = requests.Requested
	return c, nil
}

// jobsPerSecond and jobsAtOnce bound how fast Jobs are made, for all ScaledJobs
// together: what that costs the cluster is many times what it costs Freshet.
const (
	jobsPerSecond = 200
	jobsAtOnce    = 100
)

// registerJobs adds what ScaledJobs need.
func (c *Controllers) registerJobs(ctx context.Context, mgr ctrl.Manager, o Options) error {
	tracker := &jobs.Tracker{Ended: o.JobWakeups.Wake, Now: time.Now}
	watch := &jobs.Watch{Cache: o.Jobs, Tracker: tracker, Namespaces: o.Namespaces}
	c.jobs = watch
	if err := watch.Start(ctx); err != nil {
		return fmt.Errorf("registering the ScaledJob controller: %w", err)
	}
	so := c.ScaledObject
	c.ScaledJob = &scaledjob.Reconciler{
		Client: so.Client, Live: so.Live, Cluster: so.Cluster, Auth: so.Auth, Engine: so.Engine, Store: so.Store,
		Jobs: tracker, Synced: watch.Synced, Rate: flowcontrol.NewTokenBucketRateLimiter(jobsPerSecond, jobsAtOnce),
		Ownership: so.Ownership, Events: so.Events, Version: so.Version, Workers: o.JobWorkers, Patience: so.Patience,
		Wakeups: o.JobWakeups,
	}
	if err := c.ScaledJob.Register(ctx, mgr); err != nil {
		return fmt.Errorf("registering the ScaledJob controller: %w", err)
	}
	return nil
}

// explain has what is decided watched, and can tell why.
func (c *Controllers) explain(ctx context.Context, mgr ctrl.Manager, o Options) error {
	c.Explanations = &explanations.Gatherer{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Targets: c.ScaledObject.Targets,
		Store: o.Store, Rules: o.Rules, Ledger: c.ScaledObject.Ledger, Ownership: o.Leader, Since: time.Now(),
	}
	return (&explanations.Witness{Gatherer: c.Explanations}).Register(ctx, mgr.GetCache())
}

// election makes this replica the owner of all objects once it leads.
type election struct {
	client  client.Client
	live    client.Reader
	jobs    *jobs.Watch
	options Options
}

// NeedLeaderElection has the manager start it on the leader only.
func (e *election) NeedLeaderElection() bool { return true }

// Start takes over: polling on schedule begins, and every object is decided on.
func (e *election) Start(ctx context.Context) error {
	if !e.catchUp(ctx) {
		return nil // the process ends
	}
	e.options.Leader.Elect()
	e.options.Engine.Rebalance()
	var all kedav1alpha1.ScaledObjectList
	if err := e.client.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing ScaledObjects to take over: %w", err)
	}
	for i := range all.Items {
		e.options.Wakeups.Wake(client.ObjectKeyFromObject(&all.Items[i]))
	}
	var scaledJobs kedav1alpha1.ScaledJobList
	if err := e.client.List(ctx, &scaledJobs, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing ScaledJobs to take over: %w", err)
	}
	for i := range scaledJobs.Items {
		e.options.JobWakeups.Wake(client.ObjectKeyFromObject(&scaledJobs.Items[i]))
	}
	return nil
}

// catchUp has everything that the former leader made known, for as long as it takes.
// It tells whether that came about before ctx ended.
func (e *election) catchUp(ctx context.Context) bool {
	const pause, limit = time.Second, 30 * time.Second
	for {
		call, cancel := context.WithTimeout(ctx, limit)
		err := e.jobs.CatchUp(call, e.live)
		cancel()
		if err == nil {
			return true
		}
		ctrl.LoggerFrom(ctx).Error(err, "taking over")
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}
