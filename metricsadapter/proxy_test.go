package metricsadapter_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/freshet-io/freshet/metricsadapter"
)

// proxyHeaders are those of a front proxy, of which one has a name of its own.
var proxyHeaders = &authenticatorfactory.RequestHeaderConfig{
	UsernameHeaders: headerrequest.StaticStringSlice{"X-Remote-User"}, UIDHeaders: headerrequest.StaticStringSlice{"X-Remote-Uid"},
	GroupHeaders:        headerrequest.StaticStringSlice{"X-Remote-Group", "X-Team"},
	ExtraHeaderPrefixes: headerrequest.StaticStringSlice{"X-Remote-Extra-"},
}

// verifier is who is asked for callers that are not known.
type verifier struct {
	asked int
	err   error
}

func (v *verifier) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	v.asked++
	name := r.Header.Get("X-Remote-User")
	r.Header.Del("X-Remote-User") // as authenticators do
	return &authenticator.Response{User: &user.DefaultInfo{Name: name}}, name != "" && v.err == nil, v.err
}

func TestCallersOfTheFrontProxyAreVerifiedOnceInTenSeconds(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ours, other := &x509.Certificate{NotAfter: now.Add(time.Hour)}, &x509.Certificate{NotAfter: now.Add(time.Hour)}
	ending := &x509.Certificate{NotAfter: now.Add(time.Second)}
	v := &verifier{}
	a := metricsadapter.RememberProxied(v, proxyHeaders, func() time.Time { return now })
	ask := func(certificate *x509.Certificate, header http.Header, name string, asks int, err error) {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header = header.Clone()
		if certificate != nil {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
		}
		v.asked = 0
		got, ok, failed := a.AuthenticateRequest(r)
		if v.asked != asks || !errors.Is(failed, err) || ok != (name != "" && err == nil) || ok && got.User.GetName() != name {
			t.Errorf("%v: %d asked, want %d; got %+v, %v, %v", header, v.asked, asks, got, ok, failed)
		}
	}
	hpa := http.Header{"X-Remote-User": {"hpa"}, "X-Remote-Group": {"a", "b"}, "X-Remote-Extra-Scopes": {"view"}}
	with := func(key string, values ...string) http.Header {
		h := hpa.Clone()
		h[key] = values
		return h
	}
	ask(ours, hpa, "hpa", 1, nil)
	for range 3 {
		ask(ours, hpa, "hpa", 0, nil)
	}
	ask(ours, with("Accept", "*/*"), "hpa", 0, nil)
	for _, header := range []http.Header{
		with("X-Remote-User", "root"), with("X-Remote-Group", "a"), with("X-Remote-Group", "ab"), with("X-Remote-Group", "a", "b", "system:masters"),
		with("X-Team", "a"), with("X-Remote-Uid", "1"), with("X-Remote-Extra-Scopes", "all"), with("X-Remote-Extra-More", "view"),
	} {
		ask(ours, header, header.Get("X-Remote-User"), 1, nil)
	}
	ask(other, hpa, "hpa", 1, nil)
	ask(ours, hpa, "hpa", 0, nil)
	for range 2 {
		ask(nil, hpa, "hpa", 1, nil)
		ask(ours, with("Authorization", "Bearer x"), "hpa", 1, nil)
		ask(ours, http.Header{}, "", 1, nil)
	}
	ask(ending, hpa, "hpa", 1, nil)
	now = now.Add(2 * time.Second)
	ask(ending, hpa, "hpa", 1, nil)
	now = now.Add(8 * time.Second)
	v.err = errors.New("the authority changed")
	ask(ours, hpa, "hpa", 1, v.err)
	ask(ours, hpa, "hpa", 1, v.err)
	v.err = nil
	ask(ours, hpa, "hpa", 1, nil)
	ask(ours, hpa, "hpa", 0, nil)
}

// TestQuickRequestsAreDescribedAsAllOthers compares what authorization is asked
// about with what the API machinery makes of the request.
func TestQuickRequestsAreDescribedAsAllOthers(t *testing.T) {
	factory := &request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}
	quick := 0
	for _, path := range []string{"shop/s0-orders", "shop/S0-Orders", "shop/status", "shop/finalize", "shop/watch", "watch/proxy", "shop/a/b", "shop/", "/x", "shop/%73", "shop//x", "namespaces/namespaces"} {
		for _, query := range []string{label + "=orders", label + "=a.b-c", label + "==orders", label, label + "=orders,a=b", ""} {
			r := httptest.NewRequest(http.MethodGet, "/apis/external.metrics.k8s.io/v1beta1/namespaces/"+path+"?labelSelector="+url.QueryEscape(query), nil)
			got := metricsadapter.QuickInfo(r, label)
			if got == nil {
				continue
			}
			quick++
			want, err := factory.NewRequestInfo(r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", r.URL, diff)
			}
		}
	}
	if quick < 8 {
		t.Errorf("only %d requests are quick", quick)
	}
}
