package observe

import (
	"fmt"
	"math"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// positive checks a target, which divides and is handed on in thousandths.
func positive(key string, n float64, what string) error {
	if n >= 0.001 && !math.IsInf(n, 1) {
		return nil
	}
	return fmt.Errorf("parameter %s must be a number of at least 0.001: it is %s", key, what)
}

// finite checks an activation, which is compared.
func finite(key string, n float64) error {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return fmt.Errorf("parameter %s must be a finite number", key)
	}
	return nil
}

// wrongContent says that an answer with status 200 is not what it should be.
func wrongContent(answer *conn.Answer, want string) error {
	if answer.WebPage {
		return scalers.UnavailableError("%s answers with a web page and not with %s: it is the wrong address, or a page to log in", answer.URL, want)
	}
	return scalers.UnavailableError("%s does not answer with %s", answer.URL, want)
}
