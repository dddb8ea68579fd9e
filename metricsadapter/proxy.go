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
)

const (
	// knowProxyFor is how long a caller that came through the front proxy stays
	// known: to verify its certificate costs more than all else in an answer.
	knowProxyFor = 10 * time.Second
	// mostProxied bounds how many callers are known at a time.
	mostProxied = 1000
)

// proxied remembers whom the front proxy brings. A caller is who it was when the
// same certificate, which its connection has proven, and the same headers come again
// within knowProxyFor. Everybody else is asked for next, and so are all who show a token.
type proxied struct {
	next    authenticator.Request
	headers *authenticatorfactory.RequestHeaderConfig
	now     func() time.Time

	mu    sync.Mutex
	known map[proxiedKey]proxiedCaller
}

// proxiedKey is what tells callers apart.
type proxiedKey struct {
	// certificate is the one that was parsed for the connection.
	certificate *x509.Certificate
	headers     string
}

type proxiedCaller struct {
	response *authenticator.Response
	until    time.Time
}

// rememberProxied returns an authenticator that asks next as seldom as it may.
func rememberProxied(next authenticator.Request, headers *authenticatorfactory.RequestHeaderConfig) authenticator.Request {
	if next == nil || headers == nil {
		return next
	}
	return &proxied{next: next, headers: headers, now: time.Now, known: map[proxiedKey]proxiedCaller{}}
}

// AuthenticateRequest tells who asks.
func (p *proxied) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	key, ok := p.key(r)
	if !ok {
		return p.next.AuthenticateRequest(r) //nolint:wrapcheck // it stands for it
	}
	now := p.now()
	p.mu.Lock()
	caller, known := p.known[key]
	p.mu.Unlock()
	if known && now.Before(caller.until) && now.Before(key.certificate.NotAfter) {
		return caller.response, true, nil
	}
	response, ok, err := p.next.AuthenticateRequest(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil || !ok:
		delete(p.known, key)
		return response, ok, err //nolint:wrapcheck // it stands for it
	case len(p.known) >= mostProxied:
		clear(p.known)
	}
	p.known[key] = proxiedCaller{response, now.Add(knowProxyFor)}
	return response, true, nil
}

// key is what the request tells its caller by, unless that is more than a
// certificate and what a proxy says.
func (p *proxied) key(r *http.Request) (proxiedKey, bool) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 || len(r.Header["Authorization"]) > 0 || len(r.Header["Sec-Websocket-Protocol"]) > 0 {
		return proxiedKey{}, false
	}
	var b strings.Builder
	add := func(name string) {
		for _, value := range r.Header.Values(name) {
			b.WriteString(name)
			b.WriteByte(0)
			b.WriteString(value)
			b.WriteByte(0)
		}
	}
	for _, names := range []interface{ Value() []string }{p.headers.UsernameHeaders, p.headers.UIDHeaders, p.headers.GroupHeaders} {
		for _, name := range names.Value() {
			add(name)
		}
		b.WriteByte(1)
	}
	for _, name := range p.extra(r.Header) {
		add(name)
	}
	return proxiedKey{r.TLS.PeerCertificates[0], b.String()}, true
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
