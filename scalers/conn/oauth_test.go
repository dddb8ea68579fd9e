package conn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
)

// issuer is a token endpoint. It issues numbered tokens to the client id with
// the secret.
type issuer struct {
	*httptest.Server
	issued  atomic.Int64
	expires atomic.Int64 // the expires_in of tokens; 0 tells none
	params  atomic.Bool  // the secret is wanted in the body and not the header
	refuses atomic.Bool  // the secret is wrong
	last    atomic.Pointer[url.Values]
}

func newIssuer(t testing.TB) *issuer {
	i := &issuer{}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = r.ParseForm()
	id, given, inHeader := r.BasicAuth()
	if !inHeader {
		id, given = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if inHeader == i.params.Load() || id != "id" || given != secret || i.refuses.Load() {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":"invalid_client","error_description":"the secret %s\nis not right"}`, given)
		return
	}
	i.last.Store(&r.PostForm)
	answer := map[string]any{"access_token": fmt.Sprint("token-", i.issued.Add(1)), "token_type": "bearer"}
	if n := i.expires.Load(); n != 0 {
		answer["expires_in"] = n
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (i *issuer) client() conn.OAuth {
	return conn.OAuth{TokenURI: i.URL, ClientID: "id", ClientSecret: param.NewSecret(secret)}
}

// tokens opens the block.
func tokens(t testing.TB, o conn.OAuth, tls conn.TLS) *conn.Tokens {
	t.Helper()
	tokens, err := o.Open(tls)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func fetch(t testing.TB, tokens *conn.Tokens) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	token, err := tokens.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

func TestTokenIsFetchedOnceForAll(t *testing.T) {
	for _, expires := range []int64{0, 3600} {
		i := newIssuer(t)
		i.expires.Store(expires)
		source := tokens(t, i.client(), conn.TLS{})
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if got := fetch(t, source); got != "token-1" {
					t.Errorf("got %s", got)
				}
			})
		}
		all.Wait()
		source.Refused(t.Context(), param.NewSecret("token-0"))
		if got := fetch(t, source); got != "token-1" {
			t.Errorf("after another one was refused: got %s", got)
		}
		source.Refused(t.Context(), param.NewSecret("token-1"))
		if got := fetch(t, source); got != "token-2" {
			t.Errorf("after it was refused: got %s", got)
		}
	}
}

func TestTokenThatEndedIsReplaced(t *testing.T) {
	i := newIssuer(t)
	i.expires.Store(-1)
	source := tokens(t, i.client(), conn.TLS{})
	for n := range 3 {
		if got, want := fetch(t, source), fmt.Sprint("token-", n+1); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A token is replaced before it ends and, when that fails, used to its end.
func TestTokenIsReplacedInTime(t *testing.T) {
	i := newIssuer(t)
	i.expires.Store(100)
	source := tokens(t, i.client(), conn.TLS{})
	start := time.Now()
	at := func(second int) string {
		token, err := source.Token(scalers.WithNow(t.Context(), start.Add(time.Duration(second)*time.Second)))
		if err != nil {
			return scalers.ClassOf(err).String()
		}
		return token.Reveal()
	}
	for _, step := range []struct {
		second int
		works  bool
		want   string
	}{
		{0, true, "token-1"}, {70, true, "token-1"}, {80, true, "token-2"}, {149, true, "token-2"},
		{160, false, "token-2"}, {178, false, "token-2"}, {181, false, "authentication"}, {182, true, "token-3"},
	} {
		i.refuses.Store(!step.works)
		if got := at(step.second); got != step.want {
			t.Errorf("after %d s: got %s, want %s", step.second, got, step.want)
		}
	}
}

func TestTokenRequest(t *testing.T) {
	for _, inParams := range []bool{false, true} {
		i := newIssuer(t)
		i.params.Store(inParams)
		o := i.client()
		o.Scopes, o.EndpointParams = []string{"read", "list"}, url.Values{"audience": {"shop"}}
		fetch(t, tokens(t, o, conn.TLS{}))
		got := *i.last.Load()
		if got.Get("grant_type") != "client_credentials" || got.Get("scope") != "read list" || got.Get("audience") != "shop" {
			t.Errorf("with the secret in the body: %v: asked with %v", inParams, got)
		}
	}
}

// A client that shows a certificate needs no secret, and the endpoint may be
// signed by the system's authorities or the trigger's.
func TestTokenByCertificate(t *testing.T) {
	ca := authority(t)
	pair, err := ca.Issue("client")
	if err != nil {
		t.Fatal(err)
	}
	s := tlsServer(t, ca, true, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"of %s/%s/%s"}`, r.TLS.PeerCertificates[0].Subject.CommonName, r.FormValue("client_id"), r.Header.Get("Authorization"))
	})
	o := conn.OAuth{TokenURI: s, ClientID: "id"}
	if err := o.Validate(true); err != nil {
		t.Error(err)
	}
	if err := o.Validate(false); err == nil || !strings.Contains(err.Error(), "clientSecret") {
		t.Errorf("without a certificate: got %v", err)
	}
	tls := conn.TLS{CA: ca.PEM, Cert: pair.Cert, Key: param.NewSecret(pair.Key)}
	if got := fetch(t, tokens(t, o, tls)); got != "of client/id/" {
		t.Errorf("got %q", got)
	}
	tls.CA = ""
	if _, err := tokens(t, o, tls).Token(t.Context()); err == nil || scalers.ClassOf(err) != scalers.Unavailable {
		t.Errorf("of an unknown authority: got %v", err)
	}
}

func TestTokenRefusals(t *testing.T) {
	const page = "<html>" + secret + "</html>"
	for name, tc := range map[string]struct {
		status     int
		body, kind string
		want       scalers.Class
		says       string
	}{
		"invalid client":   {401, `{"error":"invalid_client"}`, "application/json", scalers.Authentication, "clientSecret"},
		"invalid in 400":   {400, `{"error":"invalid_client","error_description":"` + secret + `"}`, "application/json", scalers.Authentication, "invalid_client"},
		"not allowed":      {400, `{"error":"unauthorized_client"}`, "application/json", scalers.Authentication, "clientID"},
		"bare 401":         {401, page, "text/html", scalers.Authentication, "401"},
		"scope":            {400, `{"error":"invalid_scope","error_description":"no\nscope"}`, "application/json", scalers.Configuration, "no scope"},
		"grant":            {400, `{"error":"unsupported_grant_type"}`, "application/json", scalers.Configuration, "unsupported_grant_type"},
		"error with 200":   {200, `{"error":"invalid_client"}`, "application/json", scalers.Authentication, "invalid_client"},
		"not found":        {404, page, "text/html", scalers.Configuration, "404"},
		"too many":         {429, `{}`, "application/json", scalers.RateLimited, "429"},
		"broken":           {500, page, "text/html", scalers.Unavailable, "500"},
		"starting":         {400, `{"error":"temporarily_unavailable"}`, "application/json", scalers.Unavailable, "temporarily"},
		"moved":            {307, "", "", scalers.Configuration, "oauthTokenURI"},
		"page with 200":    {200, page, "text/html", scalers.Unavailable, "oauthTokenURI"},
		"no token":         {200, `{"token_type":"bearer"}`, "application/json", scalers.Unavailable, "no access token"},
		"null":             {200, `null`, "application/json", scalers.Unavailable, "no access token"},
		"cut":              {200, `{"access_token":"` + secret, "application/json", scalers.Unavailable, "no access token"},
		"long explanation": {400, `{"error":"x","error_description":"` + strings.Repeat("long ", 10_000) + `"}`, "application/json", scalers.Configuration, "long"},
	} {
		t.Run(name, func(t *testing.T) {
			elsewhere := server(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect is followed") })
			address := server(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.kind)
				w.Header().Set("Location", elsewhere)
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(tc.status)
				fmt.Fprint(w, tc.body)
			})
			o := conn.OAuth{TokenURI: address + "/token?key=" + secret, ClientID: "id", ClientSecret: param.NewSecret(secret)}
			_, err := tokens(t, o, conn.TLS{}).Token(t.Context())
			if err == nil || scalers.ClassOf(err) != tc.want || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v of class %s, want %s and %q", err, scalers.ClassOf(err), tc.want, tc.says)
			}
			if text := fmt.Sprint(err); strings.Contains(text, secret) || strings.Contains(text, "\n") || len(text) > 600 {
				t.Errorf("the error is %q", text)
			}
			if tc.status == 429 && scalers.RetryAfterOf(err) != 7*time.Second {
				t.Errorf("it is to be left alone for %s", scalers.RetryAfterOf(err))
			}
		})
	}
}

func TestTokenFetchEndsWithContext(t *testing.T) {
	asked, block := make(chan struct{}, 10), make(chan struct{})
	address := server(t, func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-block:
		}
	})
	defer close(block)
	source := tokens(t, conn.OAuth{TokenURI: address, ClientID: "id", ClientSecret: param.NewSecret(secret)}, conn.TLS{})
	first, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := source.Token(first)
		done <- err
	}()
	<-asked
	waiting, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if _, err := source.Token(waiting); !scalers.IsTimeout(err) {
		t.Errorf("who waits for the fetch: got %v", err)
	}
	cancel()
	if err := <-done; err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("who fetches: got %v", err)
	}
}

func TestTokenFailureIsForAllWhoWait(t *testing.T) {
	var asked atomic.Int64
	entered, block := make(chan struct{}, 10), make(chan struct{})
	address := server(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		entered <- struct{}{}
		<-block
		w.WriteHeader(http.StatusInternalServerError)
	})
	source := tokens(t, conn.OAuth{TokenURI: address, ClientID: "id"}, conn.TLS{}) // without a secret it asks once
	var all sync.WaitGroup
	ask := func() {
		if _, err := source.Token(t.Context()); err == nil || scalers.ClassOf(err) != scalers.Unavailable {
			t.Errorf("got %v", err)
		}
	}
	all.Go(ask)
	<-entered
	for range 5 {
		all.Go(ask)
	}
	time.Sleep(50 * time.Millisecond) // they wait; one that came later would ask again
	close(block)
	all.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("the endpoint was asked %d times", n)
	}
	ask()
	if n := asked.Load(); n != 2 {
		t.Errorf("the failure is kept: asked %d times", n)
	}
}

func TestOAuthFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		auth conn.OAuth
		says []string
	}{
		"nothing":    {conn.OAuth{}, []string{"oauthTokenURI", "clientID", "clientSecret"}},
		"no scheme":  {conn.OAuth{TokenURI: "idp/" + secret, ClientID: "i", ClientSecret: param.NewSecret("s")}, []string{"oauthTokenURI"}},
		"two scopes": {conn.OAuth{TokenURI: "http://h", ClientID: "i", ClientSecret: param.NewSecret("s"), Scopes: []string{"a"}, EndpointParams: url.Values{"scope": {"b"}}}, []string{"scopes", "endpointParams"}},
	} {
		err := conn.HTTPAuth{Modes: []string{"oauth"}, OAuth: tc.auth}.Validate()
		for _, say := range tc.says {
			if err == nil || !strings.Contains(err.Error(), say) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: got %v, want %s", name, err, say)
			}
		}
	}
}

// A server that does not take a token is shown another one by the next read.
func TestHTTPWithOAuth(t *testing.T) {
	i := newIssuer(t)
	var refused atomic.Value
	refused.Store("")
	address := server(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got == refused.Load() || !strings.HasPrefix(got, "Bearer token-") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, r.Header.Get("Authorization"))
	})
	u := parse(t, address)
	auth := conn.HTTPAuth{Modes: []string{"oauth"}, OAuth: i.client()}
	c, err := conn.NewHTTP(u, auth).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		if answer, err := c.Get(t.Context(), u, nil); err != nil || string(answer.Body) != "Bearer token-1" {
			t.Errorf("got %v, %v", answer, err)
		}
	}
	refused.Store("Bearer token-1")
	if _, err := c.Get(t.Context(), u, nil); scalers.ClassOf(err) != scalers.Authentication {
		t.Errorf("got %v", err)
	}
	if answer, err := c.Get(t.Context(), u, nil); err != nil || string(answer.Body) != "Bearer token-2" {
		t.Errorf("got %v, %v", answer, err)
	}
	i.Close()
	c2, _ := conn.NewHTTP(u, auth).Open(t.Context())
	defer c2.Close()
	if _, err := c2.Get(t.Context(), u, nil); err == nil || !strings.Contains(err.Error(), "access token") {
		t.Errorf("without the issuer: got %v", err)
	}
}
