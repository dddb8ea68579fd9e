package metricsadapter

import (
	"context"
	"net/http"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/endpoints/request"
)

// WithQuick is for tests.
var WithQuick = withQuick

// RememberProxied is for tests, with a clock.
func RememberProxied(next authenticator.Request, headers *authenticatorfactory.RequestHeaderConfig, now func() time.Time) authenticator.Request {
	p := rememberProxied(next, headers)
	p.now = now
	return p
}

// QuickInfo is what a quick request is described as; nil of one that is not quick.
func QuickInfo(r *http.Request, label string) *request.RequestInfo {
	q, ok := parseQuery(r, label)
	if !ok {
		return nil
	}
	info, _ := quickInfo{}.NewRequestInfo(r.WithContext(context.WithValue(r.Context(), queryKey{}, q)))
	return info
}
