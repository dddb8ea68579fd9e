package main

import (
	"sync"
	"time"
)

// gaps keeps when each key was read last, and how long it was since the time
// before. It is safe for concurrent use.
type gaps struct {
	mu   sync.Mutex
	last map[string]time.Time
	seen map[string][]time.Duration
}

func newGaps() *gaps { return &gaps{last: map[string]time.Time{}, seen: map[string][]time.Duration{}} }

// see takes in a read.
func (g *gaps) see(key string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last, ok := g.last[key]; ok {
		g.seen[key] = append(g.seen[key], now.Sub(last))
	}
	g.last[key] = now
}

// start forgets all gaps and counts the time from now.
func (g *gaps) start(keys []string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.seen)
	for _, key := range keys {
		if _, ok := g.last[key]; !ok {
			g.last[key] = now
		}
	}
}

// late is by how much each gap of the keys was longer than the interval, and 0
// for those that were not. The gap that a key is in now counts when it is longer.
func (g *gaps) late(keys []string, interval time.Duration, now time.Time) []time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	var late []time.Duration
	for _, key := range keys {
		for _, gap := range g.seen[key] {
			late = append(late, max(0, gap-interval))
		}
		if open := now.Sub(g.last[key]) - interval; open > 0 {
			late = append(late, open)
		}
	}
	return late
}
