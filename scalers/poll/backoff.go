package poll

import (
	"math/rand/v2"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

// backoff tells how long something that failed is left alone.
type backoff struct {
	failures int
	until    time.Time
	err      error
}

// fail counts a failure and sets how long to wait: first, doubled with each
// failure up to most, a fifth more or less by chance, and never less than a
// rate limited source asked for.
func (b *backoff) fail(now time.Time, err error, first, most time.Duration) {
	wait := most
	if b.failures < 16 {
		wait = min(most, first<<b.failures)
	}
	wait += time.Duration((rand.Float64() - 0.5) * 0.4 * float64(wait))
	wait = max(wait, scalers.RetryAfterOf(err))
	b.failures++
	b.until = now.Add(wait)
	b.err = err
}

func (b *backoff) reset() { *b = backoff{} }

// down tells whether the last attempt failed.
func (b *backoff) down() bool { return b.failures > 0 }
