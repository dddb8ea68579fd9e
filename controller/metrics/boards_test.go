package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/yaml"
)

const config = "../../config"

// others are the metrics of rules and dashboards that Freshet's collector does
// not send: those of its libraries and of the API server.
var others = []string{
	"leader_election_master_status", "controller_runtime_reconcile_errors_total",
	"aggregator_unavailable_apiservice", "apiserver_admission_webhook_fail_open_count",
}

// sent are the names of everything that Freshet sends, as a registry gathers it.
func sent(t *testing.T) []string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	w, err := NewWebhook(registry)
	if err != nil {
		t.Fatal(err)
	}
	w.Reviewed("shop", "create", []string{"a"})
	registry.MustRegister(newCollector(t), NewCertificate(func() (float64, bool) { return 1, true }))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Clone(others)
	for _, f := range families {
		names = append(names, f.GetName())
	}
	return names
}

var (
	quoted = regexp.MustCompile(`"[^"]*"`)
	name   = regexp.MustCompile(`[a-z]+(?:_[a-z]+)+`)
)

// unknown are the metrics of an expression that nobody sends.
func unknown(expr string, known []string) []string {
	var found []string
	for _, n := range name.FindAllString(quoted.ReplaceAllString(strings.ReplaceAll(expr, "$__rate_interval", "1m"), ""), -1) {
		if n != "group_left" && n != "label_values" && !slices.Contains(known, n) {
			found = append(found, n)
		}
	}
	return found
}

// rules are those of a file.
type ruleFile struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("promtool comes with Prometheus: go run ./scalers/scalertest/servers/install prometheus: %v", err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = filepath.Join(config, "alerts")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestAlerts: each alert fires when it should and not before, on metrics that
// there are.
func TestAlerts(t *testing.T) {
	promtool(t, "check", "rules", "--lint-fatal", "freshet.rules.yaml")
	promtool(t, "test", "rules", "freshet.test.yaml")

	var rules ruleFile
	var tests struct {
		Tests []struct {
			AlertRuleTest []struct {
				Alertname string
				ExpAlerts []any `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		}
	}
	read(t, "alerts/freshet.rules.yaml", &rules)
	read(t, "alerts/freshet.test.yaml", &tests)
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, tt := range tests.Tests {
		for _, at := range tt.AlertRuleTest {
			fires[at.Alertname] = fires[at.Alertname] || len(at.ExpAlerts) > 0
			quiet[at.Alertname] = quiet[at.Alertname] || len(at.ExpAlerts) == 0
		}
	}
	known, alerts := sent(t), 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			alerts++
			if !fires[r.Alert] || !quiet[r.Alert] {
				t.Errorf("%s is tested to fire: %t, and not to: %t", r.Alert, fires[r.Alert], quiet[r.Alert])
			}
			if names := unknown(r.Expr, known); len(names) > 0 {
				t.Errorf("%s is about %q, which nobody sends", r.Alert, names)
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] == "" || r.For == "" {
				t.Errorf("%s lacks a summary, a description, a severity or a duration", r.Alert)
			}
		}
	}
	if alerts < 10 {
		t.Errorf("there are only %d alerts", alerts)
	}
}

// TestUnknown: a metric that nobody sends is found.
func TestUnknown(t *testing.T) {
	known := sent(t)
	if got := unknown(`sum(keda_scaler_active{a="keda_scaler_b"}) / keda_scaler_activ > on (a) group_left () keda_scaler_metrics_value`, known); !slices.Equal(got, []string{"keda_scaler_activ"}) {
		t.Errorf("found is %q", got)
	}
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(config, file))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
}

// dashboard is what Grafana needs of one.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Time          struct{ From, To string }
	Templating    struct{ List []variable }
	Panels        []panel
}

type variable struct {
	Name, Type string
	Datasource struct{ Type, UID string }
	Query      json.RawMessage
	Definition string
}

type panel struct {
	ID          int
	Title, Type string
	GridPos     struct{ H, W, X, Y int }
	Datasource  struct{ Type, UID string }
	Targets     []struct{ Expr, RefID, LegendFormat string }
}

// TestDashboard: the dashboard is one that Grafana can show, on metrics that
// there are, in PromQL that Prometheus can read.
func TestDashboard(t *testing.T) {
	var d dashboard
	read(t, "dashboards/freshet.json", &d)
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 36 || d.Time.From == "" || d.Time.To == "" {
		t.Errorf("it is %s %q of schema %d, from %q to %q", d.UID, d.Title, d.SchemaVersion, d.Time.From, d.Time.To)
	}
	known, variables := sent(t), []string{"__rate_interval"}
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
		if v.Type == "query" && (v.Datasource.UID != "${datasource}" || len(v.Query) == 0) {
			t.Errorf("variable %s has no query of ${datasource}", v.Name)
		}
		if names := unknown(v.Definition, known); len(names) > 0 {
			t.Errorf("variable %s is of %q, which nobody sends", v.Name, names)
		}
	}
	var records []map[string]string
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" {
			t.Errorf("panel %q has the id %d, which is not its own", p.Title, p.ID)
		}
		ids[p.ID] = true
		checkPlace(t, p, taken)
		if p.Type == "row" {
			continue
		}
		if !slices.Contains([]string{"timeseries", "stat", "bargauge"}, p.Type) || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("panel %q is a %s on %s with %d queries", p.Title, p.Type, p.Datasource.UID, len(p.Targets))
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if refs[q.RefID] || q.RefID == "" || q.LegendFormat == "" {
				t.Errorf("panel %q has a query %q without a place or a legend of its own", p.Title, q.RefID)
			}
			refs[q.RefID] = true
			if names := unknown(q.Expr, known); len(names) > 0 {
				t.Errorf("panel %q is of %q, which nobody sends", p.Title, names)
			}
			for _, v := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(q.Expr, -1) {
				if !slices.Contains(variables, v[1]) {
					t.Errorf("panel %q speaks of $%s, which is no variable", p.Title, v[1])
				}
			}
			records = append(records, map[string]string{
				"record": fmt.Sprintf("panel:query_%d", len(records)),
				"expr":   strings.ReplaceAll(q.Expr, "$__rate_interval", "1m"),
			})
		}
	}
	if len(records) < 15 {
		t.Errorf("there are only %d queries", len(records))
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": records}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}

// checkPlace holds a panel to the grid, where no two lie on each other.
func checkPlace(t *testing.T, p panel, taken map[[2]int]string) {
	t.Helper()
	at := p.GridPos
	if at.W < 1 || at.H < 1 || at.X < 0 || at.Y < 0 || at.X+at.W > 24 {
		t.Errorf("panel %q is at %+v", p.Title, at)
	}
	for x := at.X; x < at.X+at.W; x++ {
		for y := at.Y; y < at.Y+at.H; y++ {
			if other := taken[[2]int{x, y}]; other != "" {
				t.Fatalf("panels %q and %q lie on each other", p.Title, other)
			}
			taken[[2]int{x, y}] = p.Title
		}
	}
}
