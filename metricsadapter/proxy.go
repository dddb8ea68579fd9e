package metricsadapter

import (
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
)

const (
	// knowProxyFor is how long a caller that came through the front proxy stays
	// known: to verify its certificate costs more than all else in an answer.
	knowProxyFor = 10 * time.Second
	// mostProxied bounds how many callers are known at a time.
	mostProxied = 1000
)

// proxied is an authenticator that remembers whom the front proxy brings. A caller is
// who it was when the same certificate, which its connection has proven, and the same
// headers come again within knowProxyFor. Everybody else is asked for next, and so are
// all who show a token.
type proxied struct {
	next    authenticator.Request
	headers *authenticatorfactory.RequestHeaderConfig
	now     func() time.Time

	mu      sync.Mutex
	callers map[proxiedKey]proxiedCaller
}

// proxiedKey is what tells callers apart.
type proxiedKey struct {
	// certificate is the one that was parsed for the connection.
	certificate *x509.Certificate
	headers     string
}

type proxiedCaller struct {
	response *authenticator.Response
	caller   caller
	until    time.Time
}

// rememberProxied returns an authenticator that asks next as seldom as it may, always
// when there are no headers of a front proxy.
func rememberProxied(next authenticator.Request, headers *authenticatorfactory.RequestHeaderConfig) *proxied {
	return &proxied{next: next, headers: headers, now: time.Now, callers: map[proxiedKey]proxiedCaller{}}
}

// known is who asks, where that is remembered.
func (p *proxied) known(r *http.Request) (proxiedCaller, bool) {
	key, ok := p.key(r)
	if !ok {
		return proxiedCaller{}, false
	}
	return p.find(key)
}

func (p *proxied) find(key proxiedKey) (proxiedCaller, bool) {
	p.mu.Lock()
	c, ok := p.callers[key]
	p.mu.Unlock()
	now := p.now()
	return c, ok && now.Before(c.until) && now.Before(key.certificate.NotAfter)
}

// AuthenticateRequest tells who asks.
func (p *proxied) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	key, keyed := p.key(r)
	if !keyed {
		return p.next.AuthenticateRequest(r) //nolint:wrapcheck // it stands for it
	}
	if c, ok := p.find(key); ok {
		return c.response, true, nil
	}
	until := p.now().Add(knowProxyFor)
	response, ok, err := p.next.AuthenticateRequest(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil || !ok:
		delete(p.callers, key)
		return response, ok, err //nolint:wrapcheck // it stands for it
	case len(p.callers) >= mostProxied:
		clear(p.callers)
	}
	p.callers[key] = proxiedCaller{response, callerOf(response.User), until}
	return response, true, nil
}

// key is what the request tells its caller by, unless that is more than a
// certificate and what a proxy says.
func (p *proxied) key(r *http.Request) (proxiedKey, bool) {
	if p.headers == nil || r.TLS == nil || len(r.TLS.PeerCertificates) == 0 || len(r.Header["Authorization"]) > 0 || len(r.Header["Sec-Websocket-Protocol"]) > 0 {
		return proxiedKey{}, false
	}
	text := make([]byte, 0, 512)
	add := func(name string) {
		for _, value := range r.Header.Values(name) {
			text = append(text, name...)
			text = append(text, 0)
			text = append(text, value...)
			text = append(text, 0)
		}
	}
	for _, names := range [...]headerrequest.StringSliceProvider{p.headers.UsernameHeaders, p.headers.UIDHeaders, p.headers.GroupHeaders} {
		for _, name := range names.Value() {
			add(name)
		}
		text = append(text, 1)
	}
	for _, name := range p.extra(r.Header) {
		add(name)
	}
	return proxiedKey{r.TLS.PeerCertificates[0], string(text)}, true
}

// extra are the names of headers that tell more of the caller, in order.
func (p *proxied) extra(h http.Header) []string {
	var names []string
	for _, prefix := range p.headers.ExtraHeaderPrefixes.Value() {
		for name := range h {
			if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}
