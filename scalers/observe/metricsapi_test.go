package observe_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// apiMetadata is a trigger's metadata, in which "" takes a key away.
func apiMetadata(address, location string, metadata m) m {
	all := m{"url": address, "valueLocation": location, "targetValue": "10"}
	maps.Copy(all, metadata)
	maps.DeleteFunc(all, func(_, v string) bool { return v == "" })
	return all
}

// api is a metrics-api trigger.
func api(t testing.TB, address, location string, metadata, auth m) *scalers.Scaler {
	t.Helper()
	return decode(t, "metrics-api", param.Input{Metadata: apiMetadata(address, location, metadata), Auth: auth}, scalers.Setting{})
}

func TestMetricsAPIConforms(t *testing.T) {
	p := scalertest.Prometheus(t, servers.PrometheusOptions{Series: shop})
	scalertest.Conform(t, scalertest.Conformance{
		Type: "metrics-api", Address: p.Addr(), Want: scalers.Number(42.5),
		At: func(address string) param.Input {
			return param.Input{Metadata: apiMetadata("http://"+address+"/api/v1/query?query=sum(requests)", "data.result.0.value.1", nil)}
		},
		Stop: p.Kill, Start: func() error { return p.Start(t.Context()) },
	})
}

// What a real server says of itself is read in the format of Prometheus.
func TestMetricsAPIReadsMetricsOfPrometheus(t *testing.T) {
	p := scalertest.Prometheus(t, servers.PrometheusOptions{Username: "user", Password: "S3NT1N3L"})
	basic := m{"authModes": "basic", "username": "user", "password": "S3NT1N3L"}
	for location, want := range map[string]string{
		`prometheus_build_info`: "1",
		`prometheus_build_info{version=~"[23][.].*",version!="1"}`: "1",
		`prometheus_build_info{version!~"[23][.].*"}`:              "configuration",
		`prometheus_ready`:                                              "1",
		`prometheus_notifications_dropped_total`:                        "0", // a counter
		`prometheus_http_request_duration_seconds_count{handler="/no"}`: "configuration",
		`prometheus_notifications_queue_capacity{queue="no"}`:           "configuration",
		`promhttp_metric_handler_requests_total{code="500"}`:            "0",
		`go_gc_duration_seconds{quantile="0.0.1"}`:                      "configuration",
	} {
		r := read(t, api(t, p.URL()+"/metrics", location, m{"format": "prometheus"}, basic))
		if got := outcome(r); got != want {
			t.Errorf("%s: got %s, want %s: %v", location, got, want, r.Err)
		}
	}
	for _, location := range []string{`go_goroutines`, `go_gc_duration_seconds_count`, `prometheus_http_request_duration_seconds_bucket{le="+Inf"}`} {
		if r := read(t, api(t, p.URL()+"/metrics", location, m{"format": "prometheus"}, basic)); r.Err != nil || r.Value.Metric < 0 {
			t.Errorf("%s: got %+v", location, r)
		}
	}
	if r := read(t, api(t, p.URL()+"/metrics", "up", m{"format": "prometheus"}, m{"authModes": "basic", "username": "user"})); outcome(r) != "authentication" {
		t.Errorf("without the password: got %+v", r)
	}
}

const jsonAnswer = `{
 "queue": {"size": 12, "text": "10Mi", "half": 0.5, "big": 9007199254740993, "no": null, "yes": true, "word": "many", "empty": "", "dotted.key": 3},
 "queues": [{"name": "a", "size": 1}, {"name": "b", "size": 2}], "tiny": 1e-3, "large": 1e400, "milli": "1500m", "nan": "NaN"
}`

const yamlAnswer = "queue:\n  size: 12\n  text: 10Mi\n  half: .5\n  no: null\n  yes: true\n  word: many\n  dotted.key: 3\n" +
	"queues:\n- {name: a, size: 1}\n- {name: b, size: 2}\nexponent: 1e3\n1: 7\n---\nqueue: {size: 99}\n"

const xmlAnswer = `<?xml version="1.0" encoding="ISO-8859-1"?>
<!-- Größe --><root xmlns:q="urn:q"><queue name="é" size="7"><q:size>
  12
</q:size><text><![CDATA[10Mi]]></text><word>many</word><empty/></queue><item>1</item><item id="x" n="5">2</item><a.b>3</a.b></root>`

const textAnswer = "# HELP requests Requests.\n# TYPE requests counter\nrequests{shop=\"a\",code=\"200\"} 12 1764036000123\nrequests{shop=\"b\",code=\"500\"} 30\n" +
	"# TYPE temperature gauge\ntemperature -3.5\r\n# TYPE nothing gauge\nnothing NaN\nrequests_total 9\nplain{shop=\"a \\\"quoted\\\" {brace}\"}  4\n" +
	"# TYPE latency histogram\nlatency_bucket{le=\"+Inf\"} 6\nlatency_sum 2.5\nlatency_count 6\n# TYPE kind unknown\nkind 1\n{\"my.metric\",shop=\"a\"} 8\n# EOF\n"

func TestMetricsAPIFormats(t *testing.T) {
	for format, tc := range map[string]struct {
		answer string
		want   map[string]string
	}{
		"json": {jsonAnswer, map[string]string{
			"queue.size": "12", "queue.text": "1.048576e+07", "queue.half": "0.5", "queue.big": "9.007199254740992e+15", `queue.dotted\.key`: "3",
			"queues.1.size": "2", "queues.#": "2", `queues.#(name=="b").size`: "2", "tiny": "0.001", "milli": "1.5",
			"large": "unavailable", "nan": "unavailable", "queue.no": "configuration", "queue.yes": "configuration", "queue.word": "configuration",
			"queue.empty": "configuration", "queue": "configuration", "queues": "configuration", "missing": "configuration", "queues.7.size": "configuration",
			"queues.#.size": "configuration",
		}},
		"yaml": {yamlAnswer, map[string]string{
			"queue.size": "12", "queue.text": "1.048576e+07", "queue.half": "0.5", `queue.dotted\.key`: "3", "queues.1.size": "2", "exponent": "1000", "1": "7",
			"queue.no": "configuration", "queue.yes": "configuration", "queue.word": "configuration", "queue": "configuration", "queues": "configuration",
			"queues.7.size": "configuration", "queues.-1.size": "configuration", "queues.x": "configuration", "queue.size.x": "configuration", "missing": "configuration",
		}},
		"xml": {xmlAnswer, map[string]string{
			"root.queue.size": "12", "root.queue.text": "1.048576e+07", "root.queue.@size": "7", "root.queue.-size": "7", "root.item.0": "1", "root.item.1": "2",
			"root.item.1.@n": "5", `root.a\.b`: "3", "root.queue.0.size": "12",
			"root.item": "configuration", "root.item.2": "configuration", "root.item.@n": "configuration", "root.queue.word": "configuration",
			"root.queue.empty": "configuration", "root.queue": "configuration", "queue.size": "configuration", "root.queue.@none": "configuration",
			"root.queue.@size.x": "configuration", "root": "configuration",
		}},
		"prometheus": {textAnswer, map[string]string{
			`requests`: "12", `requests{shop="b"}`: "30", `requests{shop!="a"}`: "30", `requests{shop=~"b|c"}`: "30", `requests{shop!~"a.*"}`: "30",
			`requests{shop=~"a|b", code="500"}`: "30", `requests{shop=~"B"}`: "configuration", `requests{none=""}`: "12", `requests{none!=""}`: "configuration",
			`requests { shop = 'b' , }`: "30", "requests{shop=`b`}": "30", `{__name__="requests",shop="b"}`: "30", `requests{}`: "12", `requests_total`: "9",
			`temperature`: "-3.5", `nothing`: "unavailable", `plain{shop="a \"quoted\" {brace}"}`: "4", `latency_sum`: "2.5", `latency_count`: "6",
			`latency_bucket{le="+Inf"}`: "6", `latency`: "configuration", `kind`: "1", `request`: "configuration", `missing`: "configuration",
			`requests{shop=~"."}`: "12", `requests{shop=~""}`: "configuration",
		}},
	} {
		t.Run(format, func(t *testing.T) {
			server := serve(t, 200, "text/plain", tc.answer)
			for location, want := range tc.want {
				r := read(t, api(t, server.URL, location, m{"format": format}, nil))
				if got := outcome(r); got != want {
					t.Errorf("%s: got %s, want %s: %v", location, got, want, r.Err)
				}
				if r.Err != nil && !strings.Contains(r.Err.Error(), "valueLocation") {
					t.Errorf("%s: the error does not name the parameter: %v", location, r.Err)
				}
			}
		})
	}
}

// Nothing in an answer may cost more than the answer.
func TestMetricsAPIHostileAnswers(t *testing.T) {
	deep := func(open string) string { return strings.Repeat(open, 200_000) }
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 8), c-1)
	}
	for name, tc := range map[string]struct{ format, location, answer string }{
		"deep JSON":            {"json", "a", deep("[")},
		"deep objects":         {"json", "a.a", deep(`{"a":`)},
		"deep YAML":            {"yaml", "a", deep("[")},
		"long YAML":            {"yaml", "a", "a: 5\n#" + strings.Repeat("x", 1<<20)},
		"long XML":             {"xml", "a", "<a>5</a><!--" + strings.Repeat("x", 1<<20) + "-->"},
		"YAML bomb":            {"yaml", "j.0", bomb},
		"YAML infinite":        {"yaml", "a", "a: .inf\n"},
		"YAML large":           {"yaml", "a", "a: 1e400\n"},
		"YAML text":            {"yaml", "a", "just a text\n"},
		"deep XML":             {"xml", "a.a", deep("<a>")},
		"XML entity":           {"xml", "a", `<!DOCTYPE a [<!ENTITY b "5">]><a>&b;</a>`},
		"XML twice":            {"xml", "a", `<a>5</a><a>6</a>`},
		"XML and more":         {"xml", "a", `<a>5</a>6`},
		"no XML":               {"xml", "a", `5`},
		"long quantity":        {"json", "a", `{"a":"` + strings.Repeat("9", 100_000) + `Mi"}`},
		"exponent":             {"json", "a", `{"a":"1e999999999"}`},
		"exponent, quantity":   {"json", "a", `{"a":"1E999999999"}`},
		"negative exponent":    {"json", "a", `{"a":"1e-999999999Mi"}`},
		"cut sample":           {"prometheus", "a", "a 5\na 6"},
		"sample without value": {"prometheus", "a", "a\na 6\n"},
		"labels without end":   {"prometheus", "a", `a{b="` + strings.Repeat("x", 100_000)},
		"text as a value":      {"prometheus", "a", "a five\n"},
		"invalid text":         {"prometheus", "a", "a{b=\"\xff\"} 5\n"},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, 200, "text/plain", tc.answer)
			r := read(t, api(t, server.URL, tc.location, m{"format": tc.format}, nil))
			if r.Err == nil {
				t.Fatalf("it has the value %v", r.Value)
			}
			if text := r.Err.Error(); len(text) > 300 || strings.Contains(text, "\n") {
				t.Errorf("the error is %q", text)
			}
		})
	}
}

func TestMetricsAPIRequest(t *testing.T) {
	server := serve(t, 200, "application/json", `{"a": 5}`)
	for name, tc := range map[string]struct {
		metadata, auth m
		query          string
		headers        m
	}{
		"none":            {nil, m{"username": "u", "password": "p"}, "q=1&r=a+b", m{"Authorization": ""}},
		"key":             {m{"authMode": "apiKey"}, m{"apiKey": "k"}, "q=1&r=a+b", m{"X-API-KEY": "k"}},
		"key, named":      {m{"authMode": "apiKey", "keyParamName": "X-Mine"}, m{"apiKey": "k"}, "q=1&r=a+b", m{"X-Mine": "k"}},
		"key in query":    {m{"authModes": "apiKey", "method": "query"}, m{"apiKey": "k"}, "api_key=k&q=1&r=a+b", nil},
		"key in query, s": {m{"authModes": "apiKey", "method": "query", "keyParamName": "sig"}, m{"apiKey": "k"}, "q=1&r=a+b&sig=k", nil},
		"basic":           {m{"authModes": "basic"}, m{"username": "u"}, "q=1&r=a+b", m{"Authorization": "Basic dTo="}},
		"bearer":          {m{"authModes": "bearer"}, m{"token": "t"}, "q=1&r=a+b", m{"Authorization": "Bearer t"}},
		"custom":          {m{"authModes": "custom"}, m{"customAuthHeader": "X-A", "customAuthValue": "v"}, "q=1&r=a+b", m{"X-A": "v"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := api(t, server.URL+"/stats?q=1&r=a+b", "a", tc.metadata, tc.auth)
			if r := read(t, s); outcome(r) != "5" {
				t.Fatal(r.Err)
			}
			got := server.last.Load()
			if got.Method != http.MethodGet || got.URL.Path != "/stats" || got.URL.RawQuery != tc.query {
				t.Errorf("asked with %s for %s, want the query %s", got.Method, got.URL, tc.query)
			}
			for name, value := range tc.headers {
				if got.Header.Get(name) != value {
					t.Errorf("header %s is %q, want %q", name, got.Header.Get(name), value)
				}
			}
		})
	}
}

func TestMetricsAPIFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		metadata, auth m
		says           string
	}{
		"no address":         {m{"url": ""}, nil, "url"},
		"no scheme":          {m{"url": "h/S3NT1N3L"}, nil, "http://"},
		"no place":           {m{"valueLocation": ""}, nil, "valueLocation"},
		"no target":          {m{"targetValue": ""}, nil, "targetValue"},
		"target 0":           {m{"targetValue": "0"}, nil, "targetValue"},
		"unknown format":     {m{"format": "csv"}, nil, "format"},
		"unknown aggregate":  {m{"aggregationType": "median"}, nil, "aggregationType"},
		"no mode":            {m{"authMode": "basic"}, nil, "username"},
		"no service":         {m{"url": "http://shop:80", "aggregateFromKubeServiceEndpoints": "true"}, nil, "service.namespace"},
		"address as service": {m{"url": "http://10.0.0.1:80", "aggregateFromKubeServiceEndpoints": "true"}, nil, "service.namespace"},
		"no metric":          {m{"format": "prometheus", "valueLocation": `{a="b"}`}, nil, "name a metric"},
		"no quotes":          {m{"format": "prometheus", "valueLocation": `a{b=c}`}, nil, "selector"},
		"no end":             {m{"format": "prometheus", "valueLocation": `a{b="c"`}, nil, "brace"},
		"more":               {m{"format": "prometheus", "valueLocation": `a{b="c"}[5m]`}, nil, "follow"},
		"bad expression":     {m{"format": "prometheus", "valueLocation": `a{b=~"("}`}, nil, "regular expression"},
		"bad escape":         {m{"format": "prometheus", "valueLocation": `a{b="\q"}`}, nil, "escape"},
		"no operator":        {m{"format": "prometheus", "valueLocation": `a{b>"c"}`}, nil, "selector"},
		"two names":          {m{"format": "prometheus", "valueLocation": `sum(a)`}, nil, "name a metric"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := scalers.Decode("metrics-api", param.Input{Metadata: apiMetadata("http://h:1", "a", tc.metadata), Auth: tc.auth}, scalers.Setting{})
			if err == nil || scalers.ClassOf(err) != scalers.Configuration || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("got %v, want a fault with %q", err, tc.says)
			}
			if strings.Contains(err.Error(), "S3NT1N3L") || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error holds a secret or a line break: %q", err)
			}
		})
	}
	free := param.Input{Metadata: apiMetadata("http://h:1", "a", m{"targetValue": "0"})}
	if _, _, err := scalers.Decode("metrics-api", free, scalers.Setting{Formula: true}); err != nil {
		t.Errorf("beside a formula: %v", err)
	}
}

func TestMetricsAPINaming(t *testing.T) {
	s := api(t, "http://u:p@H.svc/x?y=z", "queues.0.size", m{"activationTargetValue": "2.5"}, nil)
	if name := scalers.MetricName(1, s.Stem); name != "s1-metric-api-queues-0-size" {
		t.Errorf("the metric is %s", name)
	}
	if s.Target != 10 || s.Activation != 2.5 || s.Source.Name != "http://h.svc:80" {
		t.Errorf("target %v, activation %v, source %s", s.Target, s.Activation, s.Source.Name)
	}
}
