package conn

import (
	"sync"
	"sync/atomic"
)

// InParallel calls f with each number below n, at most so many at a time, and
// returns when all calls did. A panic of f is the caller's.
func InParallel(n, most int, f func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	var panicked atomic.Pointer[any]
	for range min(n, most) {
		workers.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panicked.Store(&p)
				}
			}()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	workers.Wait()
	if p := panicked.Load(); p != nil {
		panic(*p)
	}
}
