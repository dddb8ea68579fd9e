package observe_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestPrometheusConforms(t *testing.T) {
	p := scalertest.Prometheus(t, servers.PrometheusOptions{Series: shop})
	scalertest.Conform(t, scalertest.Conformance{
		Type: "prometheus", Address: p.Addr(), Want: scalers.Number(42.5),
		At: func(address string) param.Input {
			return param.Input{Metadata: promMetadata("http://"+address, "sum(requests)", m{"ignoreNullValues": "false"})}
		},
		Stop: p.Kill, Start: func() error { return p.Start(t.Context()) },
	})
}

// Replies that no server of the tests gives, or that a broken one does.
func TestFixtures(t *testing.T) { scalertest.Fixtures(t, "testdata", scalertest.ReplayHTTP) }

func TestPrometheusQueries(t *testing.T) {
	p := scalertest.Prometheus(t, servers.PrometheusOptions{Series: shop})
	for name, tc := range map[string]struct {
		query, want, strict string // strict is with ignoreNullValues false
	}{
		"one series":          {`requests{shop="a"}`, "12.5", "12.5"},
		"aggregated":          {`sum(requests)`, "42.5", "42.5"},
		"scalar":              {`scalar(sum(requests))`, "42.5", "42.5"},
		"number":              {`-7`, "-7", "-7"},
		"characters to quote": {`sum(requests{shop=~"a|b"} + 0 > bool 1)`, "2", "2"},
		"small":               {`vector(0.0000000001)`, "1e-10", "1e-10"},
		"no series":           {`missing`, "0", "configuration"},
		"NaN of a series":     {`nothing`, "0", "configuration"},
		"NaN":                 {`vector(0)/0`, "0", "configuration"},
		"infinite":            {`vector(1)/0`, "0", "configuration"},
		"infinite scalar":     {`-1/0`, "0", "configuration"},
		"two series":          {`requests`, "configuration", "configuration"},
		"syntax":              {`sum(requests`, "configuration", "configuration"},
		"range":               {`requests[1m]`, "configuration", "configuration"},
		"text":                {`"text"`, "configuration", "configuration"},
		"ambiguous match":     {`requests * on() requests`, "configuration", "configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, prom(t, p.URL(), tc.query, nil, nil))
			if got := outcome(r); got != tc.want {
				t.Errorf("got %s, want %s: %v", got, tc.want, r.Err)
			}
			r = read(t, prom(t, p.URL()+"/", tc.query, m{"ignoreNullValues": "false"}, nil))
			if got := outcome(r); got != tc.strict {
				t.Errorf("without ignoreNullValues: got %s, want %s: %v", got, tc.strict, r.Err)
			}
		})
	}
	for query, want := range map[string]bool{`missing`: true, `vector(0)/0`: false, `vector(0)`: false} {
		ignored := read(t, prom(t, p.URL(), query, nil, nil))
		refused := read(t, prom(t, p.URL(), query, m{"ignoreNullValues": "false"}, nil))
		if ignored.Value.Empty != want || scalers.IsEmpty(refused.Err) != want {
			t.Errorf("that the answer to %s is empty is %t and %t, want %t", query, ignored.Value.Empty, scalers.IsEmpty(refused.Err), want)
		}
	}
	r := read(t, prom(t, p.URL(), `sum(requests`, nil, nil))
	if r.Err == nil || !strings.Contains(r.Err.Error(), "parse error") {
		t.Errorf("the error does not hold the server's own words: %v", r.Err)
	}
	r = read(t, prom(t, p.URL(), `requests`, nil, nil))
	if r.Err == nil || !strings.Contains(r.Err.Error(), `shop="a"`) || !strings.Contains(r.Err.Error(), "2 series") {
		t.Errorf("the error does not name the series: %v", r.Err)
	}
}

func TestPrometheusCredentials(t *testing.T) {
	ca, err := servers.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ca.WriteServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files.RequireClient = true
	pair, err := ca.Issue("client")
	if err != nil {
		t.Fatal(err)
	}
	p := scalertest.Prometheus(t, servers.PrometheusOptions{Series: shop, Username: "user", Password: "S3NT1N3L", TLS: files})
	basic := m{"authModes": "tls,basic", "username": "user", "password": "S3NT1N3L", "ca": ca.PEM, "cert": pair.Cert, "key": pair.Key}
	for name, tc := range map[string]struct {
		change m
		url    string
		want   string
	}{
		"right":             {nil, p.URL(), "42.5"},
		"in the address":    {m{"authModes": "tls"}, strings.Replace(p.URL(), "//", "//user:S3NT1N3L@", 1), "42.5"},
		"wrong password":    {m{"password": "S3NT1N3L2"}, p.URL(), "authentication"},
		"no password":       {m{"password": ""}, p.URL(), "authentication"},
		"basic is not on":   {m{"authModes": "tls"}, p.URL(), "authentication"},
		"tls is not on":     {m{"authModes": "basic"}, p.URL(), "authentication or unavailable"}, // when it hangs up before it says why
		"authority unknown": {m{"ca": ""}, p.URL(), "unavailable"},
		"not encrypted":     {nil, strings.Replace(p.URL(), "https", "http", 1), "configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			auth := m{}
			for _, from := range []m{basic, tc.change} {
				for k, v := range from {
					auth[k] = v
				}
			}
			s := prom(t, tc.url, "sum(requests)", nil, auth)
			r := read(t, s)
			if got := outcome(r); !slices.Contains(strings.Split(tc.want, " or "), got) {
				t.Errorf("got %s, want %s: %v", got, tc.want, r.Err)
			}
			if seen := fmt.Sprint(r.Err, s.Source.Name); strings.Contains(seen, "S3NT1N3L") {
				t.Errorf("the password can be read in %s", seen)
			}
		})
	}
	unsafe := m{"authModes": "tls,basic", "username": "user", "password": "S3NT1N3L", "cert": pair.Cert, "key": pair.Key}
	if r := read(t, prom(t, p.URL(), "sum(requests)", m{"unsafeSsl": "true"}, unsafe)); outcome(r) != "42.5" {
		t.Errorf("unsafeSsl has no effect with a client certificate: %v", r.Err)
	}
}

func TestPrometheusRequest(t *testing.T) {
	server := serve(t, 200, "application/json", `{"status":"success","data":{"resultType":"scalar","result":[1,"5"]}}`)
	s := prom(t, server.URL+"/tenant%2Fa/?dedup=true", `sum(a{b="c&d=e"}) + 1`, m{
		"namespace": "shop&x", "queryParameters": "partial_response=false,x=a b", "customHeaders": "X-Scope-OrgID=7,X-Other=b",
		"authModes": "bearer,custom,apiKey", "apiKey": "k", "method": "query",
	}, m{"bearerToken": "tok", "customAuthHeader": "X-Mine", "customAuthValue": "v"})
	if r := read(t, s); outcome(r) != "5" {
		t.Fatal(r.Err)
	}
	got := server.last.Load()
	if got.Method != http.MethodGet || got.URL.EscapedPath() != "/tenant%2Fa/api/v1/query" {
		t.Errorf("asked with %s for %s", got.Method, got.URL.EscapedPath())
	}
	want := url.Values{
		"query": {`sum(a{b="c&d=e"}) + 1`}, "namespace": {"shop&x"}, "partial_response": {"false"}, "x": {"a b"},
		"dedup": {"true"}, "api_key": {"k"},
	}
	if query := got.URL.Query(); query.Encode() != want.Encode() {
		t.Errorf("the parameters are %v, want %v", query, want)
	}
	for name, value := range (m{"X-Scope-OrgID": "7", "X-Other": "b", "Authorization": "Bearer tok", "X-Mine": "v"}) {
		if got.Header.Get(name) != value {
			t.Errorf("header %s is %q, want %q", name, got.Header.Get(name), value)
		}
	}
}

func TestPrometheusTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	began := time.Now()
	r := read(t, prom(t, "http://"+l.Addr().String(), "up", m{"timeout": "50"}, nil))
	if scalers.ClassOf(r.Err) != scalers.Unavailable || !strings.Contains(fmt.Sprint(r.Err), "50ms of parameter timeout") {
		t.Errorf("got %v, want the trigger's own timeout", r.Err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s := prom(t, "http://"+l.Addr().String(), "up", m{"timeout": "1h"}, nil)
	c, err := s.Source.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out := make([]scalers.Result, 1)
	if err := scalers.Read(ctx, c, []*scalers.Scaler{s}, out); err != nil || !scalers.IsTimeout(out[0].Err) {
		t.Errorf("the host's deadline does not count beside a longer timeout: %v, %v", err, out[0].Err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestPrometheusFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		metadata m
		auth     m
		says     []string
	}{
		"no scheme":          {m{"serverAddress": "prometheus:9090"}, nil, []string{"serverAddress", "http://"}},
		"no host":            {m{"serverAddress": "http:///x"}, nil, []string{"serverAddress", "host"}},
		"another scheme":     {m{"serverAddress": "ftp://h"}, nil, []string{"serverAddress"}},
		"secret in garbage":  {m{"serverAddress": "http://u:S3NT1N3L@h:port"}, nil, []string{"serverAddress"}},
		"no query":           {m{"query": ""}, nil, []string{"query"}},
		"no threshold":       {m{"threshold": ""}, nil, []string{"threshold"}},
		"threshold 0":        {m{"threshold": "0"}, nil, []string{"threshold"}},
		"threshold tiny":     {m{"threshold": "0.0001"}, nil, []string{"threshold"}},
		"threshold NaN":      {m{"threshold": "NaN"}, nil, []string{"threshold"}},
		"activation NaN":     {m{"activationThreshold": "NaN"}, nil, []string{"activationThreshold"}},
		"timeout negative":   {m{"timeout": "-1s"}, nil, []string{"timeout"}},
		"unknown mode":       {m{"authModes": "magic"}, nil, []string{"authModes", "magic"}},
		"oauth alone":        {m{"authModes": "oauth"}, nil, []string{"oauthTokenURI", "clientID", "clientSecret"}},
		"two modes":          {m{"authModes": "basic,bearer"}, m{"username": "u", "bearerToken": "t"}, []string{"basic and bearer"}},
		"bearer alone":       {m{"authMode": "bearer"}, nil, []string{"bearerToken"}},
		"basic alone":        {m{"authMode": "basic"}, m{"password": "x"}, []string{"username"}},
		"tls alone":          {m{"authMode": "tls"}, nil, []string{"cert", "key"}},
		"custom alone":       {m{"authMode": "custom"}, nil, []string{"customAuthHeader", "customAuthValue"}},
		"apiKey alone":       {m{"authMode": "apiKey"}, nil, []string{"apiKey"}},
		"token with a break": {m{"authMode": "bearer"}, m{"bearerToken": "S3NT1N3L\nX: y"}, []string{"bearerToken"}},
		"bad header":         {m{"customHeaders": "a b=c"}, nil, []string{"customHeaders"}},
		"bad authority":      {nil, m{"ca": "x"}, []string{"ca"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := scalers.Decode("prometheus", param.Input{Metadata: promMetadata("http://h:1", "up", tc.metadata), Auth: tc.auth}, scalers.Setting{})
			if err == nil || scalers.ClassOf(err) != scalers.Configuration {
				t.Fatalf("got %v, want an error of class configuration", err)
			}
			if strings.Contains(err.Error(), "S3NT1N3L") || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error holds a secret or a line break: %q", err)
			}
			for _, say := range tc.says {
				if !strings.Contains(err.Error(), say) {
					t.Errorf("the error does not say %s: %v", say, err)
				}
			}
		})
	}
}

func TestPrometheusNaming(t *testing.T) {
	s := prom(t, "http://u:p@H.svc/x?y=z", "up", m{"activationThreshold": "2.5"}, nil)
	if name := scalers.MetricName(3, s.Stem); name != "s3-prometheus" {
		t.Errorf("the metric is %s", name)
	}
	if s.Target != 10 || s.Activation != 2.5 || s.Source.Name != "http://h.svc:80" {
		t.Errorf("target %v, activation %v, source %s", s.Target, s.Activation, s.Source.Name)
	}
}

func TestPrometheusSources(t *testing.T) {
	base := prom(t, "http://h/a", "up", nil, nil)
	for name, other := range map[string]*scalers.Scaler{
		"another path":       prom(t, "http://h:80/b?c=d", "up", nil, nil),
		"another query":      prom(t, "http://h/a", "down", nil, nil),
		"unused credentials": prom(t, "http://h/a", "up", nil, m{"username": "u", "password": "p", "cert": "c", "key": "k"}),
		"another header":     prom(t, "http://h/a", "up", m{"customHeaders": "a=b"}, nil),
	} {
		if other.Source.Fingerprint != base.Source.Fingerprint {
			t.Errorf("%s makes another source", name)
		}
	}
	for name, other := range map[string]*scalers.Scaler{
		"another host":       prom(t, "http://i/a", "up", nil, nil),
		"TLS":                prom(t, "https://h/a", "up", nil, nil),
		"unsafe TLS":         prom(t, "http://h/a", "up", m{"unsafeSsl": "true"}, nil),
		"credentials":        prom(t, "http://h/a", "up", m{"authModes": "bearer"}, m{"bearerToken": "t"}),
		"user in address":    prom(t, "http://u:p@h/a", "up", nil, nil),
		"password elsewhere": prom(t, "http://h/a", "up", m{"authModes": "basic"}, m{"username": "u", "password": "q"}),
	} {
		if other.Source.Fingerprint == base.Source.Fingerprint {
			t.Errorf("%s makes no other source", name)
		}
	}
}

// Only queries that differ in what is asked are asked, each once, over few
// connections.
func TestPrometheusSharing(t *testing.T) {
	p := scalertest.Prometheus(t, servers.PrometheusOptions{Series: shop})
	target, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	server := counted(t, httputil.NewSingleHostReverseProxy(target))
	w := newWorld(t)
	for i := range 500 { // ten queries
		query := fmt.Sprintf("sum(requests) + %d", i%10)
		w.add(prom(t, server.URL, query, m{"threshold": fmt.Sprint(i + 1), "activationThreshold": fmt.Sprint(i)}, nil))
	}
	for i, r := range w.readings() {
		if want := 42.5 + float64(i%10); r.Err != nil || r.Value.Metric != want || r.Active != (want > float64(i)) {
			t.Fatalf("trigger %d reads %+v, want %v", i, r, want)
		}
	}
	if n := server.requests.Load(); n != 10 {
		t.Errorf("%d requests were made for 10 queries", n)
	}
	if n := server.connections.Load(); n > 4 {
		t.Errorf("%d connections were made, want 4 at most", n)
	}
}

// A query that hangs delays no other, and a query that is wrong hurts none.
func TestPrometheusBadQueriesHurtThemselves(t *testing.T) {
	block := make(chan struct{})
	server := counted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("query") {
		case "hang":
			<-block
		case "wrong":
			w.WriteHeader(http.StatusBadRequest)
		default:
			_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1,"5"]}}`))
		}
	}))
	t.Cleanup(func() { close(block) })
	w := newWorld(t)
	for _, query := range []string{"hang", "wrong", "1", "2", "3", "4", "5", "6"} {
		w.add(prom(t, server.URL, query, nil, nil))
	}
	for i, s := range w.sinks[2:] {
		if r := s.Until(t, "a reading", scalers.Reading.Known); r.Err != nil || r.Value.Metric != 5 {
			t.Errorf("query %d: got %+v", i+1, r)
		}
	}
	if r := w.sinks[0].Reading(); r.Known() {
		t.Errorf("the others waited until the one that hangs had %+v", r)
	}
	if r := w.sinks[1].Until(t, "a reading", scalers.Reading.Known); scalers.ClassOf(r.Err) != scalers.Configuration {
		t.Errorf("the wrong one: got %+v", r)
	}
}

// A server that is gone is the error of all, at the cost of few dials.
func TestPrometheusGone(t *testing.T) {
	var dials atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			dials.Add(1)
			c.Close()
		}
	}()
	w := newWorld(t)
	w.interval = time.Second
	for i := range 500 {
		w.add(prom(t, "http://"+l.Addr().String(), fmt.Sprint(i), nil, nil))
	}
	for _, r := range w.readings() {
		if r.Err == nil || scalers.ClassOf(r.Err) != scalers.Unavailable {
			t.Fatalf("got %+v", r)
		}
	}
	if n := dials.Load(); n > 20 {
		t.Errorf("500 triggers dialed %d times", n)
	}
}
