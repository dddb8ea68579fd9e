package conn

import (
	"net/http"
	"time"
)

// RetryAfter is how long the server of an answer asks to be left alone; 0 when it
// does not say.
func RetryAfter(h http.Header) time.Duration { return retryAfter(h) }
