package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"time"
)

// The sources of the faults: the first three break, each in its own way.
const (
	sourceCount = 10
	slowAnswer  = 2900 * time.Millisecond // just under Freshet's and KEDA's deadline of 3 s
)

var breaks = []mode{refusing, silent, slow}

// afterwards is how long to look on after a restart: two rounds of the HPA.
const afterwards = 30 * time.Second

// faultRun is what the phases of the faults share.
type faultRun struct {
	*bench
	set      set
	proxies  []*proxy
	gaps     *gaps
	healthy  []string // keys whose source is never broken
	replicas *replicas
	paths    []metricPath
	reader   endpoint
}

// faults sets up objects on ten sources, looks on, breaks three and looks on
// again, repairs them, restarts what is measured, and removes the objects.
func (b *bench) faults(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &faultRun{bench: b, gaps: newGaps()}
	defer func() {
		for _, p := range r.proxies {
			p.close()
		}
	}()
	if err := r.listen(); err != nil {
		return err
	}
	defer func() { err = joinLeave(err, b.leave(ctx, r.set.prefix)) }()
	for _, do := range []func(context.Context) error{r.prepareAll, r.measure, r.repair, r.restart} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

func joinLeave(err, leaving error) error {
	if err != nil {
		return err
	}
	return leaving
}

// listen starts the proxies and says what the objects are.
func (r *faultRun) listen() error {
	r.set = set{r.options.prefix + "-faults", r.options.objects, r.options.items, r.options.faultInterval, nil}
	for range sourceCount {
		p, err := newProxy(r.options.redis, slowAnswer, r.gaps)
		if err != nil {
			return err
		}
		r.proxies = append(r.proxies, p)
		r.set.sources = append(r.set.sources, p.address)
	}
	for i := range r.set.objects {
		if i%sourceCount >= len(breaks) {
			r.healthy = append(r.healthy, r.set.name(i))
		}
	}
	return nil
}

// prepareAll makes the objects and waits until nothing changes any more.
func (r *faultRun) prepareAll(ctx context.Context) error {
	if err := r.setUp(ctx, r.set); err != nil {
		return err
	}
	if err := r.waitReady(ctx, r.set); err != nil {
		return err
	}
	var err error
	if r.replicas, err = r.watchReplicas(ctx, r.set); err != nil {
		return err
	}
	if err := r.waitFor(ctx, r.replicas, r.set, demanded(r.set.items)); err != nil {
		return err
	}
	if r.paths, err = r.metricPaths(ctx, r.set); err != nil {
		return err
	}
	if r.options.adapter == "" {
		r.reader, err = apiServerEndpoint(r.config)
		return err
	}
	token, err := r.options.bearer()
	if err != nil {
		return err
	}
	r.reader = adapterEndpoint("adapter", r.options.adapter, token, nil)
	return nil
}

// measure looks on before, and while, three of the sources are broken.
func (r *faultRun) measure(ctx context.Context) error {
	r.log("a pause of %s, and looking on for %s, with all sources well", r.options.settle, r.options.window)
	if err := pause(ctx, r.options.settle); err != nil {
		return err
	}
	r.replicas.takeChanges()
	f := &faultFigures{}
	said := r.selfLateness(ctx) // asked all the time, for it costs the process something
	before, late, err := r.lookAtCadence(ctx, r.options.window)
	_, _ = said() // it counts from when the sources are broken
	if err != nil {
		return err
	}
	f.Before, f.LatenessFrom = *before, spreadOf(late)
	for i, m := range breaks {
		if err := r.proxies[i].set(m); err != nil {
			return err
		}
		r.proxies[i].resetMost()
	}
	r.log("of %d sources one is dead, one silent, and one answers after %s: looking on for %s and %s", sourceCount, slowAnswer, r.options.settle, r.options.window)
	said = r.selfLateness(ctx)
	beginning, lateFirst, err := r.lookAtCadence(ctx, r.options.settle) // every failing object is told so
	if err != nil {
		return err
	}
	during, late, err := r.lookAtCadence(ctx, r.options.window)
	self, selfErr := said()
	if err != nil {
		return err
	}
	late = append(late, lateFirst...)
	if selfErr != nil {
		r.log("its own word on lateness is not known: %v", selfErr)
	}
	f.Beginning, f.During, f.Lateness, f.Gaps, f.SelfLateness = *beginning, *during, spreadOf(late), len(late), self
	if f.Before.CPUPercent > 0 {
		f.CPURatioFirst = round(f.Beginning.CPUPercent / f.Before.CPUPercent)
		f.CPURatio = round(f.During.CPUPercent / f.Before.CPUPercent)
	}
	r.result.Faults = f
	r.log("the other seven: late by p50 %.3f s, p99 %.3f s, max %.3f s (before: p99 %.3f s) in %d gaps; CPU %.2f %%, as they begin %.2f %%, after %.2f %%",
		f.Lateness.P50, f.Lateness.P99, f.Lateness.Max, f.LatenessFrom.P99, f.Gaps, f.During.CPUPercent, f.Beginning.CPUPercent, f.Before.CPUPercent)
	return nil
}

// lookAtCadence measures for a while how the healthy sources are read.
func (r *faultRun) lookAtCadence(ctx context.Context, while time.Duration) (*usage, []time.Duration, error) {
	r.gaps.start(r.healthy, time.Now())
	u, err := r.usageOver(ctx, while)
	return u, r.gaps.late(r.healthy, r.set.interval, time.Now()), err
}

// repair brings all sources back, pushes to every list and waits for the new numbers.
func (r *faultRun) repair(ctx context.Context) error {
	for i := range breaks {
		if err := r.proxies[i].set(passing); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := r.push(ctx, r.set.names()); err != nil {
		return err
	}
	want := []byte(`"value":"` + strconv.Itoa(r.set.items+1) + `"`)
	took, left, err := sweep(ctx, r.reader, r.paths, began, r.options.patience/10, func(status int, body []byte) bool {
		return isValue(status, body) && bytes.Contains(body, want)
	})
	if err != nil {
		return err
	}
	f := r.result.Faults
	f.Fresh, f.Stale = spreadOf(took), left
	f.ReplicaChanges = r.replicas.takeChanges()
	for _, p := range r.proxies {
		f.MostInFlight = max(f.MostInFlight, p.mostInFlight())
	}
	r.log("all sources are back: fresh after p50 %.2f s, max %.2f s, %d not at all; %d changes of replicas since the faults began",
		f.Fresh.P50, f.Fresh.Max, f.Stale, f.ReplicaChanges)
	return nil
}

// restart restarts what is measured and waits until all metrics are served.
func (r *faultRun) restart(ctx context.Context) error {
	if r.options.restartCommand == "" {
		r.log("no --restart-command: a restart is not measured")
		return nil
	}
	if err := pause(ctx, r.options.settle); err != nil {
		return err
	}
	r.replicas.takeChanges()
	for _, p := range r.proxies {
		p.resetMost()
	}
	began := time.Now()
	if err := r.orderRestart(ctx); err != nil {
		return err
	}
	f := &restartFigures{Gone: seconds(time.Since(began))}
	took, left, err := sweep(ctx, r.reader, r.paths, began, r.options.patience/10, isValue)
	if err != nil {
		return err
	}
	f.Served, f.Unserved = spreadOf(took), left
	r.log("restarted, gone after %.2f s: served again after p50 %.2f s, max %.2f s, %d not at all; looking on for %s", f.Gone, f.Served.P50, f.Served.Max, left, afterwards)
	if err := pause(ctx, afterwards); err != nil {
		return err
	}
	f.ReplicaChanges = r.replicas.takeChanges()
	for _, p := range r.proxies {
		f.MostInFlight = max(f.MostInFlight, p.mostInFlight())
	}
	r.result.Restart = f
	r.log("%d changes of replicas, %d requests in flight at most at one source", f.ReplicaChanges, f.MostInFlight)
	return nil
}

func (r *faultRun) orderRestart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", r.options.restartCommand) //nolint:gosec // the user's own
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running --restart-command: %w: %s", err, out)
	}
	return nil
}
