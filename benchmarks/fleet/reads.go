package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// stride is how far apart the objects are that a connection reads in turn.
const stride = 7

// reads measures external metric reads of the adapter and, beside it, of the
// constant server: in turn, so that both meet the same machine.
func (b *bench) reads(ctx context.Context, s set) error {
	if b.options.adapter == "" {
		b.log("no --adapter: reads are not measured")
		return nil
	}
	paths, err := b.metricPaths(ctx, s)
	if err != nil {
		return err
	}
	token, err := b.options.bearer()
	if err != nil {
		return err
	}
	direct := []endpoint{adapterEndpoint("adapter", b.options.adapter, token, b.options.measured)}
	if b.options.constant != "" {
		pid := b.options.constantPID
		constant := adapterEndpoint("constant", b.options.constant, token, nil)
		if pid != 0 {
			constant.pids = func() ([]int, error) { return []int{pid}, nil }
		}
		direct = append(direct, constant)
	}
	for _, connections := range []int{1, 5, 32} {
		if err := b.compare(ctx, direct, paths, connections); err != nil {
			return err
		}
	}
	through, err := apiServerEndpoint(b.config)
	if err != nil {
		b.log("not read through the API server: %v", err)
		return nil
	}
	return b.compare(ctx, []endpoint{through}, paths, 5)
}

// compare reads each server twice, for half of the time, there and back.
func (b *bench) compare(ctx context.Context, servers []endpoint, paths []metricPath, connections int) error {
	loads := make([]load, len(servers))
	requests := make([][][]byte, len(servers))
	for i, e := range servers {
		for _, p := range paths {
			requests[i] = append(requests[i], e.request(p.path))
		}
		if err := warm(ctx, e, requests[i]); err != nil {
			return err
		}
	}
	order := make([]int, 0, 2*len(servers))
	for i := range servers {
		order = append(order, i)
	}
	for i := range servers {
		order = append(order, len(servers)-1-i)
	}
	for _, i := range order {
		if err := loads[i].add(ctx, servers[i], requests[i], connections, b.options.readFor/2); err != nil {
			return err
		}
	}
	for i, e := range servers {
		f := loads[i].figures(e.name, connections)
		b.result.Reads = append(b.result.Reads, f)
		b.log("%s, %d connections: p50 %.2f ms, p99 %.2f ms, %.0f a second, %d bad; server %.0f µs of CPU a read%s, client %.0f %% of a core",
			e.name, connections, f.P50, f.P99, f.PerSecond, f.Bad, f.ServerCPUPerRead, unknown(!loads[i].knowServer), f.ClientCPUPercent)
	}
	return nil
}

// unknown marks a figure that is 0 because nobody told.
func unknown(is bool) string {
	if is {
		return " (its process was not given)"
	}
	return ""
}

// warm asks for each path once, so that what a server looks up on the first
// request is not measured.
func warm(ctx context.Context, e endpoint, requests [][]byte) error {
	c, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { c.close() }()
	for _, request := range requests {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		status, body, err := c.get(request)
		switch {
		case errors.Is(err, errClosed):
			c.close()
			if c, err = e.dial(ctx); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("reading from %s: %w", e.name, err)
		case status == 401 || status == 403:
			return fmt.Errorf("reading from %s: %d: %s: --token is of nobody who may read external metrics", e.name, status, body)
		}
	}
	return nil
}

// load is what came of reading a server, over one or more whiles.
type load struct {
	took       []time.Duration
	bad        int
	while      time.Duration
	serverCPU  time.Duration
	clientCPU  time.Duration
	knowServer bool
}

// add reads on that many connections, each one request after the other.
func (l *load) add(ctx context.Context, e endpoint, requests [][]byte, connections int, while time.Duration) error {
	conns := make([]*connection, connections)
	for i := range conns {
		c, err := e.dial(ctx)
		if err != nil {
			return err
		}
		conns[i] = c
	}
	serverBefore, err := serverCPU(e)
	if err != nil {
		return err
	}
	clientBefore, began := ownCPU(), time.Now()
	readers := make([]reader, connections)
	group, ctx := errgroup.WithContext(ctx)
	for i := range readers {
		readers[i] = reader{endpoint: e, conn: conns[i], requests: requests, next: i * len(requests) / connections}
		group.Go(func() error { return readers[i].run(ctx, began.Add(while)) })
	}
	err = group.Wait()
	l.while += time.Since(began)
	l.clientCPU += ownCPU() - clientBefore
	serverAfter, cpuErr := serverCPU(e)
	l.serverCPU += serverAfter - serverBefore
	l.knowServer = e.pids != nil
	for _, r := range readers {
		l.took = append(l.took, r.took...)
		l.bad += r.bad
	}
	return errors.Join(err, cpuErr)
}

func serverCPU(e endpoint) (time.Duration, error) {
	if e.pids == nil {
		return 0, nil
	}
	pids, err := e.pids()
	if err != nil {
		return 0, err
	}
	s, err := sampleOf(pids)
	return s.cpu, err
}

func (l *load) figures(server string, connections int) readFigures {
	f := readFigures{
		Server: server, Connections: connections, Reads: len(l.took), Bad: l.bad,
		P50: millis(quantile(l.took, 0.5)), P99: millis(quantile(l.took, 0.99)),
		PerSecond:        round(float64(len(l.took)) / l.while.Seconds()),
		ClientCPUPercent: percentOfCore(l.clientCPU, l.while),
	}
	if l.knowServer && len(l.took) > 0 {
		f.ServerCPUPercent = percentOfCore(l.serverCPU, l.while)
		f.ServerCPUPerRead = round(float64(l.serverCPU.Microseconds()) / float64(len(l.took)))
	}
	return f
}

// reader reads on one connection.
type reader struct {
	endpoint endpoint
	conn     *connection
	requests [][]byte
	next     int
	took     []time.Duration
	bad      int
}

// run reads until then. Answers without a value are bad, and not among the times.
func (r *reader) run(ctx context.Context, until time.Time) error {
	defer func() { r.conn.close() }()
	r.took = make([]time.Duration, 0, 1<<16)
	for began := time.Now(); began.Before(until) && ctx.Err() == nil; {
		status, body, err := r.conn.get(r.requests[r.next])
		now := time.Now()
		if isValue(status, body) {
			r.took = append(r.took, now.Sub(began))
		} else {
			r.bad++
		}
		if err != nil {
			r.conn.close()
			conn, dialErr := r.endpoint.dial(ctx)
			if dialErr != nil {
				return errors.Join(err, dialErr)
			}
			r.conn = conn
			now = time.Now()
		}
		r.next = (r.next + stride) % len(r.requests)
		began = now
	}
	return ctx.Err()
}
