package observe

import (
	"runtime/debug"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// inParallel calls f with each number below n, at most so many at a time, and
// returns their errors when all have returned. A panic is an error.
func inParallel(n, most int, f func(i int) error) []error {
	errs := make([]error, n)
	conn.InParallel(n, most, func(i int) {
		defer func() {
			if p := recover(); p != nil {
				errs[i] = &scalers.PanicError{Value: p, Stack: debug.Stack()}
			}
		}()
		errs[i] = f(i)
	})
	return errs
}
