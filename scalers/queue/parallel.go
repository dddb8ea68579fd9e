package queue

import (
	"sync"
	"sync/atomic"
)

// mostAtOnce is how many questions a connection is asked at the same time.
const mostAtOnce = 4

// parallel calls f for each of n places, [mostAtOnce] at a time, and returns when
// all calls did. A panic of f is the caller's.
func parallel(n int, f func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	var panicked atomic.Pointer[any]
	for range min(n, mostAtOnce) {
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
