package observe_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/poll"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

const shopMetrics = `# TYPE requests gauge
requests{shop="a"} 12.5
requests{shop="b"} 30
# TYPE nothing gauge
nothing NaN
`

func TestPrometheusQueries(t *testing.T) {
	p := startPrometheus(t, shopMetrics, servers.PrometheusOptions{})
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
	p := startPrometheus(t, shopMetrics, servers.PrometheusOptions{Username: "user", Password: "S3NT1N3L", TLS: files})
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
		"tls is not on":     {m{"authModes": "basic"}, p.URL(), "unavailable"},
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
			if got := outcome(r); got != tc.want {
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

// What a server that is no Prometheus, or a broken one, answers is no number.
func TestPrometheusHostileReplies(t *testing.T) {
	vector := func(value string) string {
		return `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":` + value + `}]}}`
	}
	const page = "<html><body>Log in</body></html>"
	for name, tc := range map[string]struct {
		status                  int
		contentType, body, want string
		says                    string
	}{
		"login page":         {200, "text/html; charset=utf-8", page, "unavailable", "log in"},
		"page without type":  {200, "", page, "unavailable", ""},
		"nothing":            {200, "application/json", "", "unavailable", ""},
		"cut off":            {200, "application/json", vector(`[1,"5"]`)[:60], "unavailable", ""},
		"null":               {200, "application/json", "null", "unavailable", ""},
		"other JSON":         {200, "application/json", `{"value": 5}`, "unavailable", ""},
		"number":             {200, "application/json", `5`, "unavailable", ""},
		"two documents":      {200, "application/json", vector(`[1,"5"]`) + vector(`[1,"6"]`), "unavailable", ""},
		"error with 200":     {200, "application/json", `{"status":"error","errorType":"timeout","error":"too slow"}`, "unavailable", "too slow"},
		"no data":            {200, "application/json", `{"status":"success"}`, "unavailable", ""},
		"no result":          {200, "application/json", `{"status":"success","data":{"resultType":"vector"}}`, "unavailable", ""},
		"a text":             {200, "application/json", vector(`[1,"five"]`), "unavailable", ""},
		"a number":           {200, "application/json", vector(`[1,5]`), "unavailable", ""},
		"no value":           {200, "application/json", vector(`[1]`), "unavailable", ""},
		"three values":       {200, "application/json", vector(`[1,"2","3"]`), "unavailable", ""},
		"no pair":            {200, "application/json", vector(`"5"`), "unavailable", ""},
		"a null":             {200, "application/json", vector(`[1,null]`), "0", ""},
		"an empty text":      {200, "application/json", vector(`[1,""]`), "0", ""},
		"too large":          {200, "application/json", vector(`[1,"1e999"]`), "0", ""},
		"in part":            {200, "application/json", strings.Replace(vector(`[1,"5"]`), "{", `{"warnings":["store is down"],`, 1), "unavailable", "store is down"},
		"empty in part":      {200, "application/json", `{"status":"success","warnings":["down"],"data":{"resultType":"vector","result":[]}}`, "unavailable", "down"},
		"warned":             {200, "application/json", strings.Replace(vector(`[1,"5"]`), "{", `{"warnings":["PromQL warning: mixed"],`, 1), "5", ""},
		"unknown type":       {200, "application/json", `{"status":"success","data":{"resultType":"tensor","result":[]}}`, "unavailable", ""},
		"histogram":          {200, "application/json", `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}`, "configuration", "histogram"},
		"status 204":         {204, "", "", "unavailable", "204"},
		"status 401":         {401, "", "", "authentication", "401"},
		"status 404":         {404, "", page, "configuration", "404"},
		"status 422":         {422, "application/json", `{"status":"error","error":"many-to-many"}`, "configuration", "many-to-many"},
		"status 429":         {429, "", "", "rate limited", "429"},
		"status 500 and 5":   {500, "application/json", vector(`[1,"5"]`), "unavailable", "500"},
		"status 503 in JSON": {503, "application/json", `{"status":"error","error":"starting"}`, "unavailable", "starting"},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, tc.status, tc.contentType, tc.body)
			r := read(t, prom(t, server.URL, "up", nil, nil))
			if got := outcome(r); got != tc.want {
				t.Errorf("got %s, want %s: %v", got, tc.want, r.Err)
			}
			if r.Err != nil && !strings.Contains(r.Err.Error(), tc.says) {
				t.Errorf("the error does not say %q: %v", tc.says, r.Err)
			}
			strict := read(t, prom(t, server.URL, "up", m{"ignoreNullValues": "false"}, nil))
			if tc.want == "0" && outcome(strict) != "configuration" {
				t.Errorf("without ignoreNullValues: got %s, want configuration", outcome(strict))
			}
		})
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
	if !scalers.IsTimeout(r.Err) || scalers.ClassOf(r.Err) != scalers.Unavailable {
		t.Errorf("got %v, want a timeout", r.Err)
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
		"oauth":              {m{"authModes": "oauth"}, nil, []string{"authModes", "oauth"}},
		"two modes":          {m{"authModes": "basic,bearer"}, m{"username": "u", "bearerToken": "t"}, []string{"bearer and basic"}},
		"bearer alone":       {m{"authMode": "bearer"}, nil, []string{"bearerToken"}},
		"basic alone":        {m{"authMode": "basic"}, m{"password": "x"}, []string{"username"}},
		"tls alone":          {m{"authMode": "tls"}, nil, []string{"cert", "key"}},
		"custom alone":       {m{"authMode": "custom"}, nil, []string{"customAuthHeader", "customAuthValue"}},
		"apiKey alone":       {m{"authMode": "apiKey"}, nil, []string{"apiKey"}},
		"token with a break": {m{"authMode": "bearer"}, m{"bearerToken": "S3NT1N3L\nX: y"}, []string{"bearerToken"}},
		"bad header":         {m{"customHeaders": "a b=c"}, nil, []string{"customHeaders"}},
		"bad authority":      {nil, m{"ca": "x"}, []string{"ca"}},
		"awsRegion":          {m{"awsRegion": "eu-west-1"}, nil, []string{"awsRegion"}},
		"identityOwner":      {m{"identityOwner": "pod"}, nil, []string{"identityOwner"}},
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

// sink keeps the last reading.
type sink struct {
	mu sync.Mutex
	r  scalers.Reading
}

func (s *sink) Put(r scalers.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r = r
}

func (s *sink) reading() scalers.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r
}

// With the engine, equal queries are one read and many share few connections.
func TestPrometheusSharing(t *testing.T) {
	server := serve(t, 200, "application/json", `{"status":"success","data":{"resultType":"scalar","result":[1,"5"]}}`)
	leader := poll.NewLeader("me")
	leader.Elect()
	engine := poll.New(poll.Options{Ownership: leader, PerSource: 2})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	sinks := make([]*sink, 100)
	for i := range sinks { // each query twice
		sinks[i] = &sink{}
		s := prom(t, server.URL, fmt.Sprintf("up + %d", i/2), nil, nil)
		engine.Set(poll.Key{Name: fmt.Sprint(i)}, []poll.Member{{Scaler: s, Interval: time.Hour, Sink: sinks[i]}})
	}
	for _, s := range sinks {
		for end := time.Now().Add(20 * time.Second); !s.reading().Known(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("there is no reading")
			}
		}
		if r := s.reading(); r.Err != nil || r.Value.Metric != 5 {
			t.Fatalf("got %+v", r)
		}
	}
	if n := server.requests.Load(); n != 50 {
		t.Errorf("%d requests were made for 50 queries", n)
	}
	if n := server.connections.Load(); n > 2 {
		t.Errorf("%d connections were made, want 2 at most", n)
	}
}
