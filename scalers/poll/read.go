package poll

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

// read opens the connection and reads batch in chunks. The error concerns all.
func (e *Engine) read(r *round, src *source, batch []*query, results []scalers.Result, began time.Time) (err error) {
	ctx, cancel := context.WithTimeout(e.ctx, e.opts.Timeout)
	defer cancel()
	link, err := src.link.acquire(ctx, func(ctx context.Context) (scalers.Conn, error) { return e.open(ctx, src) })
	if err != nil {
		e.logPanic(src, err)
		return e.explain(src, err)
	}
	defer func() { src.link.release(link, err != nil && scalers.ClassOf(err) != scalers.Configuration) }()
	chunk := make([]*scalers.Scaler, 0, min(len(batch), e.opts.Chunk))
	for start := 0; start < len(batch); start += e.opts.Chunk {
		end := min(len(batch), start+e.opts.Chunk)
		chunk = chunk[:0]
		for _, q := range batch[start:end] {
			chunk = append(chunk, q.scaler)
		}
		if err := e.readChunk(r, src, link.conn, chunk, results[start:end], began); err != nil {
			return err
		}
	}
	return nil
}

// open connects to what rounds read, and listens to what it tells.
func (e *Engine) open(ctx context.Context, src *source) (scalers.Conn, error) {
	conn, err := src.ref.Open(ctx)
	if teller, ok := conn.(scalers.Teller); ok && err == nil {
		teller.Tell(func(keys ...string) { e.changed(src, keys...) })
	}
	return conn, err
}

func (e *Engine) readChunk(r *round, src *source, conn scalers.Conn, chunk []*scalers.Scaler, out []scalers.Result, began time.Time) error {
	ctx, cancel := context.WithTimeout(scalers.WithNow(e.ctx, began), e.opts.Timeout)
	defer cancel()
	if r.idle && !r.all {
		ctx = scalers.WithGlance(ctx)
	}
	err := scalers.Read(ctx, conn, chunk, out)
	if !e.logPanic(src, err) {
		for i := range out {
			out[i].Err = e.explain(src, out[i].Err)
		}
		return e.explain(src, err)
	}
	for i, s := range chunk { // one by one, so that the panic hurts its trigger alone
		if err := scalers.Read(ctx, conn, []*scalers.Scaler{s}, out[i:i+1]); err != nil {
			out[i] = scalers.Result{Err: err}
		}
	}
	return nil
}

// logPanic tells whether err is a panic of a trigger's code, and logs where.
func (e *Engine) logPanic(src *source, err error) bool {
	var p *scalers.PanicError
	if !errors.As(err, &p) {
		return false
	}
	e.opts.Log.Error("a trigger panicked", "source", src.ref.Name, "panic", p.Value, "stack", string(p.Stack))
	return true
}

// explain names the source and, for a deadline, how long it was. What the text says
// of a failure that goes on stays the same: it stands in conditions.
func (e *Engine) explain(src *source, err error) error {
	if err == nil {
		return nil
	}
	err = &steadyError{err, ownPort.ReplaceAllString(err.Error(), "")}
	if scalers.IsTimeout(err) {
		return scalers.UnavailableError("reading %s: no answer within %s: %w", src.ref.Name, e.opts.Timeout, err)
	}
	return fmt.Errorf("reading %s: %w", src.ref.Name, err)
}

// ownPort is our end of a connection in the text of a network error: another one
// each time.
var ownPort = regexp.MustCompile(`(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.%]+\]):\d+->`)

// steadyError is an error with another text.
type steadyError struct {
	error
	text string
}

// Error is the text.
func (e *steadyError) Error() string { return e.text }

// Unwrap returns the error.
func (e *steadyError) Unwrap() error { return e.error }
