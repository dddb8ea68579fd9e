package metrics

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestKEDA: the self-metrics that KEDA's users know are served with the labels that
// they know, and every one of that name is known.
func TestKEDA(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newCollector(t))
	requests, err := NewHTTP(registry)
	if err != nil {
		t.Fatal(err)
	}
	requests.Requested("prometheusScaler", 200, time.Millisecond)
	reviews, err := NewWebhook(registry)
	if err != nil {
		t.Fatal(err)
	}
	reviews.Reviewed("shop", "create", []string{"other-hpa"})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	served := map[string][]string{}
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		served[f.GetName()] = labels
	}
	text, err := os.ReadFile("testdata/keda.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] == "#" {
			continue
		}
		verdict, name, labels := words[0], words[1], words[2:]
		got, ok := served[name]
		delete(served, name)
		if verdict == "none" {
			if ok {
				t.Errorf("%s is served", name)
			}
			continue
		}
		want := slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return strings.HasPrefix(l, "[") })
		if !ok || !slices.Equal(got, want) || (verdict == "fewer") != (len(want) < len(labels)) {
			t.Errorf("%s is served: %t, with the labels %q, want %q", name, ok, got, want)
		}
	}
	for name := range served {
		if strings.HasPrefix(name, "keda_") {
			t.Errorf("%s has no line", name)
		}
	}
}
