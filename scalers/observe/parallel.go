package observe

import (
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/freshet-io/freshet/scalers"
)

// inParallel calls f with each number below n, at most so many at a time, and
// returns their errors when all have returned. A panic is an error.
func inParallel(n, most int, f func(i int) error) []error {
	errs := make([]error, n)
	call := func(i int) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = &scalers.PanicError{Value: p, Stack: debug.Stack()}
			}
		}()
		return f(i)
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, most) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = call(i)
			}
		})
	}
	workers.Wait()
	return errs
}
