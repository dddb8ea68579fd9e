package observe

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// get asks for the address within ctx and the trigger's own timeout, if it has
// one. Which of the two passed is told.
func get(ctx context.Context, c *conn.HTTPConn, timeout time.Duration, address *url.URL, headers http.Header) (*conn.Answer, error) {
	if timeout <= 0 {
		return c.Get(ctx, address, headers)
	}
	own, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := c.Get(own, address, headers)
	if err != nil && own.Err() != nil && ctx.Err() == nil {
		return nil, scalers.UnavailableError("no answer within the %s of parameter timeout", timeout)
	}
	return answer, err
}

// wrongContent says that an answer with status 200 is not what it should be.
func wrongContent(answer *conn.Answer, want string) error {
	if answer.WebPage {
		return scalers.UnavailableError("%s answers with a web page and not with %s: it is the wrong address, or a page to log in", answer.URL, want)
	}
	return scalers.UnavailableError("%s does not answer with %s", answer.URL, want)
}
