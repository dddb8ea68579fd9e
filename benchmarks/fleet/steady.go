package main

import (
	"context"
	"maps"
	"slices"
	"time"
)

// steady looks on while nothing happens to objects that are active.
func (b *bench) steady(ctx context.Context) error {
	u, err := b.lookOn(ctx)
	b.result.Steady = u
	if err != nil {
		return err
	}
	return b.keepProfiles(ctx)
}

// idle looks on while all objects are idle.
func (b *bench) idle(ctx context.Context) error {
	u, err := b.lookOn(ctx)
	b.result.Idle = u
	return err
}

// lookOn waits until what came before is over, and then measures for the window.
func (b *bench) lookOn(ctx context.Context) (*usage, error) {
	window := wholeIntervals(b.options.window, b.options.interval)
	b.log("a pause of %s, and looking on for %s", b.options.settle, window)
	if err := pause(ctx, b.options.settle); err != nil {
		return nil, err
	}
	u, err := b.usageOver(ctx, window)
	if err != nil {
		return nil, err
	}
	b.log("%.2f %% of a core, %.1f MiB (%.1f of it no file's), %d connections, %.2f commands a second of which %.2f read; beside it %v",
		u.CPUPercent, u.ResidentMiB, u.AnonymousMiB, u.Connections, u.CommandsPerSecond, u.ReadsPerSecond, u.Beside)
	return u, nil
}

// wholeIntervals is the window, or as much longer as it takes to have as many polling
// intervals as there is time for: one that begins and ends with a poll has one more.
func wholeIntervals(window, interval time.Duration) time.Duration {
	return (window + interval - 1) / interval * interval
}

// usageOver measures for a while. Memory and connections are the most of it,
// sampled every second; the rest are means.
func (b *bench) usageOver(ctx context.Context, while time.Duration) (*usage, error) {
	pids, err := b.options.measured()
	if err != nil {
		return nil, err
	}
	u := &usage{Processes: len(pids)}
	redisBefore, err := b.redisCounters(ctx)
	if err != nil {
		return nil, err
	}
	before, err := sampleOf(pids)
	if err != nil {
		return nil, err
	}
	beside, own := b.cpuBeside(), ownCPU()
	began := time.Now()
	after := before
	for until := began.Add(while); time.Now().Before(until); {
		if err := pause(ctx, min(time.Second, time.Until(until))); err != nil {
			return nil, err
		}
		if after, err = sampleOf(pids); err != nil {
			return nil, err
		}
		u.ResidentMiB = max(u.ResidentMiB, mebibytes(after.resident))
		u.AnonymousMiB = max(u.AnonymousMiB, mebibytes(after.anonymous))
		n, err := b.redisConnections(ctx)
		if err != nil {
			return nil, err
		}
		u.Connections = max(u.Connections, n)
	}
	took := time.Since(began)
	redisAfter, err := b.redisCounters(ctx)
	if err != nil {
		return nil, err
	}
	commands, reads := redisAfter.since(redisBefore)
	u.Seconds = seconds(took)
	u.CPUPercent = percentOfCore(after.cpu-before.cpu, took)
	u.CommandsPerSecond = round(float64(commands) / took.Seconds())
	u.ReadsPerSecond = round(float64(reads) / took.Seconds())
	// One event a second is CLIENT LIST of this program, and one more INFO.
	u.RoundTripsPerSecond = round(max(0, float64(redisAfter.events-redisBefore.events)-took.Seconds()-1) / took.Seconds())
	u.OwnCPUPercent = percentOfCore(ownCPU()-own, took)
	u.Beside = map[string]float64{}
	for name, cpu := range b.cpuBeside() {
		u.Beside[name] = percentOfCore(cpu-beside[name], took)
	}
	return u, nil
}

// cpuBeside is what the other processes have used so far; one that is gone is
// left out.
func (b *bench) cpuBeside() map[string]time.Duration {
	used := map[string]time.Duration{}
	for _, name := range slices.Sorted(maps.Keys(b.options.beside)) {
		if s, err := sampleOf([]int{b.options.beside[name]}); err == nil {
			used[name] = s.cpu
		}
	}
	return used
}
