package kube_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/freshet-io/freshet/scalers"
)

// secretWord stands in data of which no error may show a part.
const secretWord = "S3CRET"

// held is an object of either kind, named backlog, that holds data.
func held(kind string, data m) client.Object {
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "backlog"}
	if kind == "ConfigMap" {
		return &corev1.ConfigMap{ObjectMeta: meta, Data: data}
	}
	s := &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{}}
	for key, text := range data {
		s.Data[key] = []byte(text)
	}
	return s
}

// backlog is a trigger on key n of the object named backlog.
func backlog(t testing.TB, cluster client.Reader, kind string, with m) *scalers.Scaler {
	t.Helper()
	metadata := m{"resourceKind": kind, "resourceName": "backlog", "key": "n", "targetValue": "5"}
	for key, value := range with {
		metadata[key] = value
	}
	return decode(t, "kubernetes-resource", metadata, at(cluster))
}

func TestResource(t *testing.T) {
	inJSON, inYAML := m{"format": "json", "valueLocation": "q.n"}, m{"format": "yaml", "valueLocation": "q.n"}
	as := func(base m, valueType string) m {
		with := m{"valueType": valueType}
		for key, value := range base {
			with[key] = value
		}
		return with
	}
	for name, tc := range map[string]struct {
		text string
		with m
		want float64
		err  string // a part of its text
	}{
		"an integer":                    {"12", nil, 12, ""},
		"a fraction":                    {"12.5", nil, 12.5, ""},
		"less than none":                {"-3", nil, -3, ""},
		"none":                          {"0", nil, 0, ""},
		"an exponent":                   {"1e3", nil, 1000, ""},
		"with blanks":                   {" 12\n", nil, 12, ""},
		"an integer as one":             {"12", m{"valueType": "int64"}, 12, ""},
		"a quantity":                    {"2500m", m{"valueType": "quantity"}, 2.5, ""},
		"a binary quantity":             {"1Ki", m{"valueType": "quantity"}, 1024, ""},
		"in JSON":                       {`{"q":{"n":12}}`, inJSON, 12, ""},
		"a text in JSON":                {`{"q":{"n":"2500m"}}`, inJSON, 2.5, ""},
		"a quantity in JSON":            {`{"q":{"n":"1Ki"}}`, as(inJSON, "quantity"), 1024, ""},
		"a number as quantity in JSON":  {`{"q":{"n":12}}`, as(inJSON, "quantity"), 12, ""},
		"an integer in JSON":            {`{"q":{"n":12}}`, as(inJSON, "int64"), 12, ""},
		"in YAML":                       {"q: {n: 12.5}", inYAML, 12.5, ""},
		"an integer in YAML":            {"q: {n: 12}", as(inYAML, "int64"), 12, ""},
		"a quantity in YAML":            {"q:\n  n: 1Ki\n", as(inYAML, "quantity"), 1024, ""},
		"nothing":                       {"", nil, 0, "there is text that is not a decimal number"},
		"blanks":                        {" \n", nil, 0, "not a decimal number"},
		"a number with an end":          {"12" + secretWord, nil, 0, "not a decimal number"},
		"two numbers":                   {"12 13", nil, 0, "not a decimal number"},
		"words":                         {secretWord, nil, 0, "not a decimal number"},
		"infinity":                      {"inf", nil, 0, "not a decimal number"},
		"too large":                     {"1e999", nil, 0, "too large"},
		"a quantity that is unexpected": {"1Ki", nil, 0, "not a decimal number"},
		"a fraction of an integer":      {"12.5", m{"valueType": "int64"}, 0, "fraction"},
		"words as a quantity":           {secretWord, m{"valueType": "quantity"}, 0, "not a quantity"},
		"a hostile quantity":            {"1.5e-2147483647", m{"valueType": "quantity"}, 0, "not a quantity"},
		"no JSON":                       {"q: " + secretWord, inJSON, 0, "not JSON"},
		"a part of JSON":                {`{"q":{"n":12},"` + secretWord, inJSON, 0, "not JSON"},
		"elsewhere in JSON":             {`{"q":{"m":12}}`, inJSON, 0, `nothing at "q.n"`},
		"null in JSON":                  {`{"q":{"n":null}}`, inJSON, 0, "null"},
		"words in JSON":                 {`{"q":{"n":"` + secretWord + `"}}`, inJSON, 0, "neither a number nor a quantity"},
		"a fraction in JSON":            {`{"q":{"n":12.5}}`, as(inJSON, "int64"), 0, "fraction"},
		"a list in JSON":                {`{"q":{"n":[12]}}`, inJSON, 0, "a list"},
		"no YAML":                       {"q: {n: [" + secretWord, inYAML, 0, "not YAML"},
		"elsewhere in YAML":             {"q: {m: 12}", inYAML, 0, `nothing at "q.n"`},
		"words in YAML":                 {"q: {n: " + secretWord + "}", inYAML, 0, "neither a number nor a quantity"},
		"an alias of nothing":           {"q: *" + secretWord, inYAML, 0, "not YAML"},
	} {
		for _, kind := range []string{"ConfigMap", "Secret"} {
			t.Run(name+" in a "+kind, func(t *testing.T) {
				cluster := fake.NewClientBuilder().WithObjects(held(kind, m{"n": tc.text, "other": secretWord})).Build()
				s := backlog(t, cluster, kind, tc.with)
				for range 2 { // the second read remembers
					out, err := read(t.Context(), t, s)
					if err != nil {
						t.Fatal(err)
					}
					expectNumber(t, out[0], tc.want, tc.err)
				}
			})
		}
	}
}

// expectNumber wants a number or, when there is a part of its text, an error of
// class configuration.
func expectNumber(t *testing.T, r scalers.Result, want float64, part string) {
	t.Helper()
	switch {
	case part == "" && (r.Err != nil || r.Value.Metric != want || r.Value.Activity != want):
		t.Errorf("got %+v, want %v", r, want)
	case part != "" && (r.Err == nil || scalers.ClassOf(r.Err) != scalers.Configuration || !strings.Contains(r.Err.Error(), part)):
		t.Errorf("got %+v, want an error of class configuration with %q", r, part)
	case r.Err != nil && (strings.Contains(r.Err.Error(), secretWord) || strings.Contains(r.Err.Error(), "\n")):
		t.Errorf("the error quotes what it should not: %q", r.Err)
	}
}

// TestResourceChanges: a read sees what changed since the last one.
func TestResourceChanges(t *testing.T) {
	for _, kind := range []string{"ConfigMap", "Secret"} {
		t.Run(kind, func(t *testing.T) {
			cluster := fake.NewClientBuilder().Build()
			s := backlog(t, cluster, kind, nil)
			expect := func(want float64, part string) {
				t.Helper()
				for range 2 {
					out, err := read(t.Context(), t, s)
					if err != nil {
						t.Fatal(err)
					}
					expectNumber(t, out[0], want, part)
				}
			}
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			expect(0, kind+" shop/backlog does not exist")
			must(cluster.Create(t.Context(), held(kind, m{"m": "1"})))
			expect(0, kind+` shop/backlog has no key "n"`)
			must(cluster.Update(t.Context(), held(kind, m{"n": "1"})))
			expect(1, "")
			must(cluster.Update(t.Context(), held(kind, m{"n": secretWord})))
			expect(0, "not a decimal number")
			must(cluster.Update(t.Context(), held(kind, m{"n": "2"})))
			expect(2, "")
			must(cluster.Delete(t.Context(), held(kind, nil)))
			expect(0, "does not exist")
			other := held(kind, m{"n": "3"}) // another object of the name, whose version may be the same
			other.SetUID("other")
			must(cluster.Create(t.Context(), other))
			expect(3, "")
		})
	}
}

func TestResourceFaults(t *testing.T) {
	good := m{"resourceKind": "ConfigMap", "resourceName": "backlog", "key": "n", "targetValue": "5"}
	for name, tc := range map[string]struct {
		with  m
		names []string
	}{
		"nothing": {
			m{"resourceKind": "", "resourceName": "", "key": "", "targetValue": ""},
			[]string{"resourceKind is missing", "resourceName is missing", "key is missing", "targetValue is missing"},
		},
		"another kind":                {m{"resourceKind": "configmap"}, []string{"resourceKind", "ConfigMap", "Secret"}},
		"another format":              {m{"format": "xml"}, []string{"format", "number", "json", "yaml"}},
		"another type of value":       {m{"valueType": "float"}, []string{"valueType", "float64"}},
		"no target":                   {m{"targetValue": "0"}, []string{"targetValue is 0"}},
		"less than none":              {m{"targetValue": "-1"}, []string{"targetValue is -1"}},
		"no number":                   {m{"targetValue": "x", "activationTargetValue": "y"}, []string{"targetValue", "activationTargetValue"}},
		"a location of a number":      {m{"valueLocation": "a.b"}, []string{"valueLocation", "json or yaml"}},
		"no location in JSON":         {m{"format": "json"}, []string{"valueLocation is missing", "json"}},
		"no location in YAML":         {m{"format": "yaml"}, []string{"valueLocation is missing", "yaml"}},
		"a location in number format": {m{"format": "number", "valueLocation": "a"}, []string{"valueLocation"}},
	} {
		t.Run(name, func(t *testing.T) { expectFault(t, "kubernetes-resource", good, tc.with, at(nil), tc.names) })
	}
}

func TestResourceNames(t *testing.T) {
	a := backlog(t, nil, "ConfigMap", m{"key": "queues.json", "format": "json", "valueLocation": "a", "activationTargetValue": "2"})
	if name := scalers.MetricName(1, a.Stem); name != "s1-configmap-backlog-queues-json" || a.Target != 5 || a.Activation != 2 {
		t.Errorf("got %s, %v, %v", name, a.Target, a.Activation)
	}
	b := backlog(t, nil, "Secret", nil)
	if name := scalers.MetricName(0, b.Stem); name != "s0-secret-backlog-n" {
		t.Errorf("got %s", name)
	}
	if a.Source.Fingerprint != b.Source.Fingerprint || !a.Kind.Batches || a.Watch == nil {
		t.Error("they are not read together, or not watched")
	}
	if b.Query != backlog(t, nil, "Secret", m{"targetValue": "9", "activationTargetValue": "3"}).Query {
		t.Error("another target is another read")
	}
	elsewhere := at(nil)
	elsewhere.Object.Namespace = "lab"
	other := decode(t, "kubernetes-resource", m{"resourceKind": "Secret", "resourceName": "backlog", "key": "n", "targetValue": "5"}, elsewhere)
	if b.Query == other.Query {
		t.Error("the object of another namespace is the same read")
	}
	formula := at(nil)
	formula.Formula = true
	if s := decode(t, "kubernetes-resource", m{"resourceKind": "Secret", "resourceName": "backlog", "key": "n"}, formula); s.Target != 0 {
		t.Errorf("with a formula the target is %v", s.Target)
	}
}
