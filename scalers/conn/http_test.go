package conn_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
)

const secret = "S3NT1N3L"

// quiet is the log of servers whose handshakes are meant to fail.
var quiet = log.New(io.Discard, "", 0)

func parse(t testing.TB, address string) *url.URL {
	t.Helper()
	u, err := conn.ParseURL("url", address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// get asks for the address on a connection of its own.
func get(t testing.TB, address string, auth conn.HTTPAuth, headers http.Header) (*conn.Answer, error) {
	t.Helper()
	u := parse(t, address)
	c, err := conn.NewHTTP(u, auth).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return c.Get(ctx, u, headers)
}

func server(t testing.TB, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

func TestStatusClasses(t *testing.T) {
	for code, want := range map[int]scalers.Class{
		201: scalers.Unavailable, 204: scalers.Unavailable, 304: scalers.Unavailable, 400: scalers.Configuration,
		401: scalers.Authentication, 403: scalers.Authentication, 404: scalers.Configuration, 405: scalers.Unavailable,
		422: scalers.Configuration, 429: scalers.RateLimited, 500: scalers.Unavailable, 502: scalers.Unavailable,
		503: scalers.Unavailable, 504: scalers.Unavailable, 599: scalers.Unavailable,
	} {
		address := server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		_, err := get(t, address+"/path?token="+secret, conn.HTTPAuth{}, nil)
		var status *conn.StatusError
		if !errors.As(err, &status) || status.Code != code || scalers.ClassOf(err) != want {
			t.Errorf("status %d is %v of class %s, want %s", code, err, scalers.ClassOf(err), want)
		}
		if text := fmt.Sprint(err); strings.Contains(text, secret) || !strings.Contains(text, address+"/path") {
			t.Errorf("status %d is told as %q", code, text)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "0": 0, "-3": 0, "soon": 0, "99999999999999999999": 0,
		now.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		address := server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", now.Format(http.TimeFormat))
			w.Header().Set("Retry-After", text)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		if _, err := get(t, address, conn.HTTPAuth{}, nil); scalers.RetryAfterOf(err) != want {
			t.Errorf("Retry-After %q is %v, want %v", text, scalers.RetryAfterOf(err), want)
		}
	}
}

func TestBodyIsBounded(t *testing.T) {
	for size, good := range map[int]bool{10 << 20: true, 10<<20 + 1: false, 64 << 20: false} {
		address := server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			block := make([]byte, 1<<20)
			for left := size; left > 0; left -= len(block) {
				if _, err := z.Write(block[:min(left, len(block))]); err != nil {
					return
				}
			}
			z.Close()
		})
		answer, err := get(t, address, conn.HTTPAuth{}, nil)
		switch {
		case good && (err != nil || len(answer.Body) != size):
			t.Errorf("a body of %d: %v", size, err)
		case !good && (err == nil || scalers.ClassOf(err) != scalers.Configuration):
			t.Errorf("a body of %d is read, or %v", size, err)
		}
	}
}

func TestNetworkErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	cut := server(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	short := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.Write([]byte("12"))
	})
	for name, address := range map[string]string{"refused": "http://" + closed, "cut": cut, "short": short} {
		address = strings.Replace(address, "//", "//user:"+secret+"@", 1) + "/p?q=" + secret
		_, err := get(t, address, conn.HTTPAuth{}, nil)
		var op *net.OpError
		if err == nil || scalers.ClassOf(err) != scalers.Unavailable || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v", name, err)
		}
		if name == "refused" && (!errors.As(err, &op) || op.Op != "dial" || !errors.Is(err, syscall.ECONNREFUSED)) {
			t.Errorf("that nobody listens cannot be told of %v", err)
		}
	}
	block := make(chan struct{})
	slow := server(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-block:
		}
	})
	defer close(block)
	u := parse(t, slow+"?q="+secret)
	c, _ := conn.NewHTTP(u, conn.HTTPAuth{}).Open(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Get(ctx, u, nil); !scalers.IsTimeout(err) || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v, want a timeout", err)
	}
}

// credentials are one of every way to give them.
func credentials() map[string]conn.HTTPAuth {
	s := param.NewSecret(secret)
	return map[string]conn.HTTPAuth{
		"bearer": {Modes: []string{"bearer"}, BearerToken: s},
		"basic":  {Modes: []string{"basic"}, Username: "u", Password: s},
		"header": {Modes: []string{"apiKey"}, APIKey: s, Method: "header"},
		"query":  {Modes: []string{"apiKey"}, APIKey: s, Method: "query"},
		"custom": {Modes: []string{"custom"}, CustomHeader: "X-Mine", CustomValue: s},
	}
}

// carries tells whether a request holds a credential.
func carries(r *http.Request) bool {
	return strings.Contains(fmt.Sprint(r.Header, r.URL), secret) || r.Header.Get("Authorization") != ""
}

func TestCredentialsArrive(t *testing.T) {
	for name, auth := range credentials() {
		var arrived bool
		address := server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/there?"+r.URL.RawQuery, http.StatusFound)
				return
			}
			arrived = carries(r)
		})
		if _, err := get(t, address+"/", auth, nil); err != nil || !arrived {
			t.Errorf("%s: after a redirect on the server they arrive: %v, %v", name, arrived, err)
		}
		auth.Modes = nil
		if _, err := get(t, address+"/there", auth, nil); err != nil || arrived {
			t.Errorf("%s: they arrive although the mode is off: %v, %v", name, arrived, err)
		}
	}
}

func TestCredentialsStayOnTheServer(t *testing.T) {
	asked := 0
	elsewhere := server(t, func(_ http.ResponseWriter, r *http.Request) {
		asked++
		if carries(r) || r.Header.Get("Referer") != "" || r.Header.Get("X-Ours") != "" {
			t.Errorf("another server is given %v", r.Header)
		}
	})
	for _, host := range []string{"127.0.0.1", "localhost"} {
		to := strings.Replace(elsewhere, "127.0.0.1", host, 1) + "/x?q=" + secret
		from := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) })
		check := func(name, from string, auth conn.HTTPAuth, headers http.Header) {
			_, err := get(t, from, auth, headers)
			if err == nil || scalers.ClassOf(err) != scalers.Configuration || strings.Contains(err.Error(), secret) {
				t.Errorf("%s to %s: got %v, want an error of class configuration", name, host, err)
			}
		}
		for name, auth := range credentials() {
			check(name, from, auth, nil)
		}
		check("header of ours", from, conn.HTTPAuth{}, http.Header{"X-Ours": {"1"}})
		check("user in the address", strings.Replace(from, "//", "//u:"+secret+"@", 1), conn.HTTPAuth{}, nil)
		if asked > 0 {
			t.Errorf("another server is asked %d times", asked)
		}
	}
	plain := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) })
	if _, err := get(t, plain+"?q=1", conn.HTTPAuth{}, nil); err != nil || asked != 1 {
		t.Errorf("without credentials the redirect is not followed: %v", err)
	}
}

func TestRedirectsEnd(t *testing.T) {
	circle := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	if _, err := get(t, circle, conn.HTTPAuth{}, nil); err == nil || scalers.ClassOf(err) != scalers.Configuration {
		t.Errorf("got %v, want an error of class configuration", err)
	}
}

// TestProxy runs this test in a process of its own: Go reads the variables once.
func TestProxy(t *testing.T) {
	if os.Getenv("CONN_TEST_PROXY") != "" {
		answer, err := get(t, "http://somewhere.example/x", conn.HTTPAuth{}, nil)
		if err != nil || string(answer.Body) != "proxied http://somewhere.example/x" {
			t.Errorf("got %v, %v", answer, err)
		}
		return
	}
	proxy := server(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "proxied ", r.URL) })
	child := exec.Command(os.Args[0], "-test.run", "^TestProxy$")
	child.Env = append(os.Environ(), "CONN_TEST_PROXY=1", "HTTP_PROXY="+proxy, "NO_PROXY=", "no_proxy=", "http_proxy=")
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestParseURLKeepsSecrets(t *testing.T) {
	for _, address := range []string{
		"", "h:80", "//h", "ftp://u:" + secret + "@h", "http://u:" + secret + "@h:x", "http://", "http://u:" + secret + "@", "http:/" + secret, "http://" + secret + "\x7f",
	} {
		if u, err := conn.ParseURL("url", address); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q is parsed as %v, %v", address, u, err)
		}
	}
}

func TestSourceNames(t *testing.T) {
	for address, want := range map[string]string{
		"http://H.Svc": "http://h.svc:80", "https://h/p?q#f": "https://h:443", "http://[::1]:9": "http://[::1]:9",
		"http://[::1]": "http://[::1]:80", "HTTPS://u:" + secret + "@h:1": "https://h:1",
	} {
		h := conn.NewHTTP(parse(t, address), conn.HTTPAuth{})
		if h.String() != want || strings.Contains(fmt.Sprintf("%+v", h), secret) {
			t.Errorf("%s is %+v, want %s", address, h, want)
		}
	}
}
