package main

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Bounds of a sweep: connections, and the pause of each between two rounds.
const (
	sweepers   = 8
	sweepPause = 100 * time.Millisecond
)

// sweep reads the metric of each object again and again until its answer is
// good, for at most the limit. It returns how long after began each was good,
// and how many never were.
func sweep(ctx context.Context, e endpoint, paths []metricPath, began time.Time, limit time.Duration, good func(status int, body []byte) bool) ([]time.Duration, int, error) {
	var mu sync.Mutex
	var took []time.Duration
	left := 0
	group, ctx := errgroup.WithContext(ctx)
	for i := range sweepers {
		group.Go(func() error {
			var mine []metricPath
			for j := i; j < len(paths); j += sweepers {
				mine = append(mine, paths[j])
			}
			w := sweeper{endpoint: e, began: began, until: began.Add(limit), good: good}
			err := w.run(ctx, mine)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, w.took...)
			left += len(mine) - len(w.took)
			return err
		})
	}
	err := group.Wait()
	return took, left, err //nolint:wrapcheck // ctx's
}

// sweeper is one connection of a sweep.
type sweeper struct {
	endpoint     endpoint
	began, until time.Time
	good         func(status int, body []byte) bool
	conn         *connection
	took         []time.Duration
}

func (w *sweeper) run(ctx context.Context, paths []metricPath) error {
	defer w.drop()
	for len(paths) > 0 && time.Now().Before(w.until) {
		var again []metricPath
		for _, p := range paths {
			if w.read(ctx, p) {
				w.took = append(w.took, time.Since(w.began))
			} else {
				again = append(again, p)
			}
			if w.conn == nil { // the server is not there
				if err := pause(ctx, sweepPause); err != nil {
					return err
				}
			}
			if time.Now().After(w.until) {
				return nil
			}
		}
		paths = again
		if err := pause(ctx, sweepPause); err != nil {
			return err
		}
	}
	return nil
}

// read asks once; what cannot be asked is not good.
func (w *sweeper) read(ctx context.Context, p metricPath) bool {
	if w.conn == nil {
		conn, err := w.endpoint.dial(ctx)
		if err != nil {
			return false
		}
		w.conn = conn
	}
	status, body, err := w.conn.get(w.endpoint.request(p.path))
	isGood := w.good(status, body)
	if err != nil {
		w.drop()
	}
	return isGood
}

func (w *sweeper) drop() {
	if w.conn != nil {
		w.conn.close()
		w.conn = nil
	}
}
