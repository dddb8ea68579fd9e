package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller"
	"github.com/freshet-io/freshet/controller/explanations"
	"github.com/freshet-io/freshet/controller/metrics"
	"github.com/freshet-io/freshet/controller/scaledobject"
	"github.com/freshet-io/freshet/metricsadapter"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/poll"
)

func runCommand() *cobra.Command {
	o := newOptions(os.Getenv)
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run Freshet: poll triggers, serve external metrics, scale to and from zero",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// run builds everything and runs it until ctx ends.
func run(ctx context.Context, o *options) error {
	if err := o.applyTLS(); err != nil {
		return err
	}
	limitGarbage()
	log := newLogger(os.Stderr, o)
	o.tellIdle(log)
	config, err := clusterConfig(o)
	if err != nil {
		return err
	}
	if err := checkCRDs(config); err != nil {
		return err
	}
	mgr, err := newManager(config, o)
	if err != nil {
		return err
	}
	keeper, err := newCertificate(mgr, o, log)
	if err != nil {
		return err
	}
	identity, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("finding an identity: %w", err)
	}
	leader := poll.NewLeader(identity)
	engine := poll.New(poll.Options{Timeout: o.sourceTimeout, Ownership: leader, Log: log})
	wakeups, jobWakeups := &scaledobject.Wakeups{}, &scaledobject.Wakeups{}
	readings := newStore(wakeups, jobWakeups)
	jobs, err := newJobCache(mgr, o)
	if err != nil {
		return err
	}
	book := &rules.Book{}
	controllers, err := controller.Register(ctx, mgr, controller.Options{
		Engine: engine, Store: readings, Rules: book, Leader: leader, Wakeups: wakeups, JobWakeups: jobWakeups, Jobs: jobs, Namespaces: o.watch.namespaces,
		Auth: auth.Options{
			ClusterNamespace: o.clusterObjects(), OwnNamespace: o.namespace, RestrictSecrets: o.restrictSecrets,
			FileRoot: o.authFiles, TokenLife: o.tokenLife, Timeout: o.sourceTimeout, Log: log,
		},
		Workers: o.workers, JobWorkers: o.jobWorkers, Build: metrics.Build{Version: buildVersion(), Commit: buildCommit()},
		Webhooks: newWebhooks(o, keeper), Certificate: keeper,
	})
	if err != nil {
		return err
	}
	why, err := explain(config, controllers)
	if err != nil {
		return err
	}
	serving := adapterOptions(o, keeper)
	serving.Groups = []metricsadapter.Group{why}
	adapter, err := metricsadapter.NewServer(serving, metricsadapter.NewProvider(readings, kedav1alpha1.LabelScaledObjectName).By(book))
	if err != nil {
		return err
	}
	if err := errors.Join(mgr.Add(everywhere(engine.Run)), mgr.Add(everywhere(adapter.Run)),
		addProbes(mgr, engine, controllers, adapter)); err != nil {
		return fmt.Errorf("assembling: %w", err)
	}
	log.Info("starting", "version", buildVersion(), "identity", identity)
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running: %w", err)
	}
	log.Info("stopped")
	return nil
}

// explain is the API group of explanations.
func explain(config *rest.Config, c *controller.Controllers) (metricsadapter.Group, error) {
	client, err := authorizationv1.NewForConfig(config)
	if err != nil {
		return metricsadapter.Group{}, fmt.Errorf("making a client for access reviews: %w", err)
	}
	access, err := explanations.NewAccess(client)
	if err != nil {
		return metricsadapter.Group{}, err
	}
	return explanations.Group(explanations.NewStorage(c.Explanations, access)), nil
}

// limitGarbage lets a third of what lives be garbage and not as much again, unless GOGC
// says otherwise: most of the heap is caches, and little garbage is made.
func limitGarbage() {
	const percent = 30
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// clusterConfig says how to reach the cluster. Its client does not throttle
// itself: the API server's priority and fairness protects it.
func clusterConfig(o *options) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("finding the cluster (give --kubeconfig outside of one): %w", err)
	}
	config.QPS = -1
	config.UserAgent = "freshet/" + buildVersion()
	config.WarningHandlerWithContext = ctrllog.NewKubeAPIWarningLogger(ctrllog.KubeAPIWarningLoggerOptions{Deduplicate: true})
	return config, nil
}

// checkCRDs makes sure that the cluster serves the kinds that Freshet is about.
func checkCRDs(config *rest.Config) error {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("making a discovery client: %w", err)
	}
	gv := kedav1alpha1.GroupVersion.String()
	list, err := client.ServerResourcesForGroupVersion(gv)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("asking the cluster at %s what it serves: %w", config.Host, err)
	}
	var served []string
	if list != nil {
		for _, r := range list.APIResources {
			served = append(served, r.Kind)
		}
	}
	for _, kind := range []string{
		kedav1alpha1.KindScaledObject, kedav1alpha1.KindScaledJob, kedav1alpha1.KindTriggerAuthentication, kedav1alpha1.KindClusterTriggerAuthentication,
	} {
		if !slices.Contains(served, kind) {
			return fmt.Errorf("the cluster does not serve %s of %s: install the CRDs first, "+
				"with kubectl apply --server-side -k config/crd", kind, gv)
		}
	}
	return nil
}

func newManager(config *rest.Config, o *options) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(kedav1alpha1.AddToScheme(scheme))
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cacheOptions(o),
		Metrics:                       metricsserver.Options{BindAddress: o.metricsAt()},
		HealthProbeBindAddress:        o.probeAddress,
		PprofBindAddress:              o.profilingAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              o.leaderElectionID,
		LeaderElectionNamespace:       o.namespace,
		LeaderElectionReleaseOnCancel: true, // the process ends right after
		LeaseDuration:                 &o.lease.life,
		RenewDeadline:                 &o.lease.renew,
		RetryPeriod:                   &o.lease.retry,
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the controllers: %w", err)
	}
	return mgr, nil
}

// newStore makes a store whose changes wake the objects that they are of.
func newStore(objects, jobs *scaledobject.Wakeups) *store.Store {
	return store.New(func(key poll.Key) {
		wakeups := objects
		if key.Kind == kedav1alpha1.KindScaledJob {
			wakeups = jobs
		}
		wakeups.Wake(scaledobject.Name(key))
	})
}

// newJobCache makes the cache of the Jobs of ScaledJobs, which the manager runs.
func newJobCache(mgr manager.Manager, o *options) (cache.Cache, error) {
	options := jobCacheOptions(o)
	options.Scheme, options.Mapper, options.HTTPClient = mgr.GetScheme(), mgr.GetRESTMapper(), mgr.GetHTTPClient()
	jobs, err := cache.New(mgr.GetConfig(), options)
	if err != nil {
		return nil, fmt.Errorf("making the cache of Jobs: %w", err)
	}
	if err := mgr.Add(everywhere(jobs.Start)); err != nil {
		return nil, fmt.Errorf("adding the cache of Jobs: %w", err)
	}
	return jobs, nil
}

// everywhere is a runnable of every replica, leader or not.
type everywhere func(context.Context) error

// Start runs it.
func (f everywhere) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection is false.
func (f everywhere) NeedLeaderElection() bool { return false }

// addProbes makes liveness mean that the schedule moves, and readiness that the
// adapter answers for every object.
func addProbes(mgr manager.Manager, engine *poll.Engine, c *controller.Controllers, adapter *metricsadapter.Server) error {
	const longest = 30 * time.Second
	started := time.Now()
	alive := func(*http.Request) error {
		last := engine.LastTick()
		if last.Before(started) {
			last = started
		}
		if age := time.Since(last); age > longest {
			return fmt.Errorf("the schedule was last looked at %s ago", age.Round(time.Second))
		}
		return nil
	}
	ready := func(req *http.Request) error {
		if engine.LastTick().Before(started) {
			return errors.New("the engine has not started")
		}
		return errors.Join(c.ScaledObject.Warm(req.Context()), c.ScaledJob.Warm(req.Context()))
	}
	return errors.Join(mgr.AddHealthzCheck("schedule", alive), mgr.AddReadyzCheck("warm", ready), mgr.AddReadyzCheck("schedule", alive),
		mgr.AddReadyzCheck("adapter", adapter.Ready))
}
