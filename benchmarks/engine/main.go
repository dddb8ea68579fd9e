// Command engine reads fleets of triggers of a real Redis with the polling engine,
// beside the bare pipeline of the client, prints what a cycle costs, and draws it
// by the number of triggers and of sources.
//
//	go run ./benchmarks/engine -o benchmarks/results/engine
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"time"

	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// measured is what a cycle of a size costs.
type measured struct {
	Triggers int `json:"triggers"`
	Sources  int `json:"sources"`
	// Milliseconds is the median time of a cycle, and Bare that of one pipeline of as
	// many commands, in the same run.
	Milliseconds float64 `json:"milliseconds"`
	Bare         float64 `json:"bareMilliseconds"`
	// Allocations are those of one reading.
	Allocations float64 `json:"allocationsPerReading"`
	// RoundTrips are how many requests a cycle sends.
	RoundTrips float64 `json:"roundTrips"`
}

// cycles is how many cycles are measured, of which the median counts.
const cycles = 15

func main() {
	out := flag.String("o", "", "write `FILE`.json and FILE.svg as well")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out); err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

func run(ctx context.Context, out string) error {
	r, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = r.Stop() }() // nothing is lost
	var all []measured
	fmt.Println("triggers  sources     ms a cycle   x bare   allocations a reading   round trips")
	for _, n := range sizes {
		m, err := measure(ctx, r, n)
		if err != nil {
			return err
		}
		fmt.Printf("%8d %8d %14.2f %8.2f %23.3f %13.0f\n", m.Triggers, m.Sources, m.Milliseconds, m.Milliseconds/m.Bare, m.Allocations, m.RoundTrips)
		all = append(all, m)
	}
	if out == "" {
		return nil
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("writing figures: %w", err)
	}
	for name, content := range map[string][]byte{".json": append(text, '\n'), ".svg": []byte(draw(all))} {
		if err := os.WriteFile(out+name, content, 0o644); err != nil { //nolint:gosec // it is for everybody
			return fmt.Errorf("writing figures: %w", err)
		}
	}
	return nil
}

// measure reads a fleet of the size again and again.
func measure(ctx context.Context, r *servers.Redis, n size) (measured, error) {
	m := measured{Triggers: n.triggers, Sources: n.sources}
	if err := fill(ctx, r, n.triggers); err != nil {
		return m, err
	}
	f, err := newFleet(ctx, r, n)
	if err != nil {
		return m, err
	}
	defer func() { _ = f.end() }() // it has no error
	trips, err := received(ctx, r)
	if err != nil {
		return m, err
	}
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	m.Milliseconds, err = median(func() error { return f.cycle(ctx) })
	if err != nil {
		return m, err
	}
	runtime.ReadMemStats(&end)
	m.Allocations = float64(end.Mallocs-start.Mallocs) / float64(cycles*n.triggers)
	after, err := received(ctx, r)
	if err != nil {
		return m, err
	}
	m.RoundTrips = float64(after-trips-1) / cycles // one asked for this
	m.Bare, err = median(func() error { return bare(ctx, r.Client(), n.triggers) })
	return m, err
}

// median is that of the milliseconds that f takes.
func median(f func() error) (float64, error) {
	var took []float64
	for range cycles {
		began := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(began))/float64(time.Millisecond))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
