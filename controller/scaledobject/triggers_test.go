package scaledobject

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/poll"
)

func TestFreshness(t *testing.T) {
	cases := []struct {
		reason  string
		polling *int32
		cached  bool
		want    time.Duration
	}{
		{"by default the HPA is given nothing older than 5 s", nil, false, 5 * time.Second},
		{"what is read more often than that is not older than one interval", new(int32(2)), false, 2 * time.Second},
		{"what is read more seldom than that is read for the HPA", new(int32(60)), false, 5 * time.Second},
		{"cached metrics are as old as the default interval", nil, true, 30 * time.Second},
		{"cached metrics are as old as the interval", new(int32(60)), true, time.Minute},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			so := newObject("orders")
			so.Spec.PollingInterval = tc.polling
			so.Spec.Triggers[0].UseCachedMetrics = tc.cached
			if got := freshness(so, &so.Spec.Triggers[0]); got != tc.want {
				t.Errorf("freshness is %s, want %s", got, tc.want)
			}
		})
	}
}

// TestResolve: each trigger is decoded on its own, and says what is wrong with it.
func TestResolve(t *testing.T) {
	cases := []struct {
		reason  string
		trigger kedav1alpha1.ScaleTriggers
		metric  string
		err     []string // what the error names
		note    string   // what the one notice names
	}{
		{
			reason:  "a trigger that is good",
			trigger: newTrigger("orders"), metric: "s1-tray-orders",
		},
		{
			reason:  "a name is for messages, not for the metric",
			trigger: kedav1alpha1.ScaleTriggers{Type: "tray", Name: "mine", Metadata: map[string]string{"name": "orders"}},
			metric:  "s1-tray-orders",
		},
		{
			reason:  "an unknown type",
			trigger: kedav1alpha1.ScaleTriggers{Type: "drawer", Metadata: map[string]string{"name": "orders"}},
			metric:  "s1-drawer",
			err:     []string{"trigger 1 (drawer)", `"drawer" is not known`, "tray"},
		},
		{
			reason:  "a parameter that is missing",
			trigger: kedav1alpha1.ScaleTriggers{Type: "tray", Name: "mine"},
			metric:  "s1-tray",
			err:     []string{`trigger "mine" (tray)`, "parameter name is missing"},
		},
		{
			reason:  "a parameter of another form",
			trigger: newTrigger("orders", "sheets", "many"), metric: "s1-tray",
			err: []string{"trigger 1 (tray)", "parameter sheets", `"many"`},
		},
		{
			reason: "Utilization is for cpu and memory",
			trigger: kedav1alpha1.ScaleTriggers{
				Type: "tray", Metadata: map[string]string{"name": "orders"}, MetricType: autoscalingv2.UtilizationMetricType,
			},
			metric: "s1-tray", err: []string{"trigger 1 (tray)", `metricType is "Utilization"`, "AverageValue"},
		},
		{
			reason: "an authentication that does not exist",
			trigger: kedav1alpha1.ScaleTriggers{
				Type: "tray", Metadata: map[string]string{"name": "orders"}, AuthenticationRef: &kedav1alpha1.AuthenticationRef{Name: "keys"},
			},
			metric: "s1-tray", err: []string{"trigger 1 (tray)", "TriggerAuthentication", "keys", "does not exist"},
		},
		{
			reason:  "a parameter that nobody knows is a notice",
			trigger: newTrigger("orders", "shets", "7"), metric: "s1-tray-orders",
			note: "shets",
		},
		{
			reason:  "a parameter that is deprecated is a notice",
			trigger: newTrigger("orders", "colour", "red"), metric: "s1-tray-orders",
			note: "trays are colourless now",
		},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			so := newObject("orders", withTriggers(newTrigger("first"), tc.trigger, newTrigger("third")))
			triggers := w.r.resolve(t.Context(), so)
			for i, metric := range []string{"s0-tray-first", tc.metric, "s2-tray-third"} {
				if got := triggers[i].metric; got != metric {
					t.Errorf("trigger %d has the metric %s, want %s", i, got, metric)
				}
			}
			for _, i := range []int{0, 2} {
				if triggers[i].err != nil || triggers[i].scaler == nil {
					t.Errorf("trigger %d suffers from its neighbour: %v", i, triggers[i].err)
				}
			}
			expectError(t, triggers[1].err, tc.err)
			if got := len(triggers[1].notes); (got > 0) != (tc.note != "") || got > 1 {
				t.Fatalf("%d notices, want one if any is wanted: %q", got, tc.note)
			}
			if tc.note != "" && !strings.Contains(triggers[1].notes[0].Message, tc.note) {
				t.Errorf("the notice is %q, which does not tell of %q", triggers[1].notes[0].Message, tc.note)
			}
		})
	}
}

// expectError wants an error of class configuration that names all of names,
// or none when there are no names.
func expectError(t *testing.T, err error, names []string) {
	t.Helper()
	if (err != nil) != (len(names) > 0) {
		t.Fatalf("error %v, want one that names %q", err, names)
	}
	if err != nil && scalers.ClassOf(err) != scalers.Configuration {
		t.Errorf("the error is of class %s, want configuration", scalers.ClassOf(err))
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error is %q, which does not name %q", err, name)
		}
	}
}

// TestResolveFromTheEnvironment: a key that ends in FromEnv takes its value
// from the container of the target.
func TestResolveFromTheEnvironment(t *testing.T) {
	d := newDeployment("orders", 1)
	d.Spec.Template.Spec.Containers = []corev1.Container{
		{Name: "proxy", Env: []corev1.EnvVar{{Name: "SHEETS", Value: "1"}}},
		{Name: "app", Env: []corev1.EnvVar{{Name: "SHEETS", Value: "7"}}},
	}
	so := newObject("orders", func(so *kedav1alpha1.ScaledObject) { so.Spec.ScaleTargetRef.EnvSourceContainerName = "app" })
	so.Spec.Triggers[0].Metadata = map[string]string{"name": "orders", "sheetsFromEnv": "SHEETS"}
	w := newWorld(t, d)
	trigger := w.r.resolve(t.Context(), so)[0]
	if trigger.err != nil {
		t.Fatal(trigger.err)
	}
	if trigger.scaler.Target != 7 {
		t.Errorf("the target is %g, want 7 from the environment of the container app", trigger.scaler.Target)
	}
}

// TestRegister: the triggers that are good are read and answered for, in their
// places; the broken one is neither.
func TestRegister(t *testing.T) {
	w := newWorld(t)
	key := Key(types.NamespacedName{Namespace: "shop", Name: "orders"})
	broken := kedav1alpha1.ScaleTriggers{Type: "drawer"}
	named := newTrigger("third")
	named.Name, named.UseCachedMetrics = "mine", true
	so := newObject("orders", withTriggers(newTrigger("first"), broken, named))
	w.r.register(key, so, w.r.resolve(t.Context(), so))

	type described struct {
		Metric, Label, Type string
		Index               int
		Freshness           time.Duration
	}
	var got []described
	for _, slot := range w.r.Store.Object(key) {
		got = append(got, described{slot.Metric, slot.Label, slot.Type, slot.Index, slot.Freshness})
	}
	want := []described{
		{"s0-tray-first", "trayScaler", "tray", 0, 5 * time.Second},
		{"s2-tray-third", "mine", "tray", 2, 30 * time.Second},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("slots (-want +got):\n%s", diff)
	}
	if w.r.Store.Find("shop", "orders", "s1-drawer") != nil {
		t.Error("the broken trigger is answered for")
	}
	if diff := cmp.Diff(poll.Size{Sources: 1, Queries: 2, Subscriptions: 2}, w.r.Engine.Size()); diff != "" {
		t.Errorf("the engine holds (-want +got):\n%s", diff)
	}
}

// TestRegisterKeepsReadings: a reconcile does not lose what was read, unless the
// trigger is another.
func TestRegisterKeepsReadings(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withTriggers(newTrigger("a"), newTrigger("b"))))
	w.settle("orders")
	w.read("orders", 0, 3)
	w.read("orders", 1, 4)
	so := newObject("orders")
	w.change(so, func() { so.Spec.Triggers[1].Metadata["sheets"] = "9" })
	w.settle("orders")
	if got := w.slot("orders", 0).Reading().Value.Metric; got != 3 {
		t.Errorf("the trigger that stayed reads %g, want 3 as before", got)
	}
	if w.slot("orders", 1).Reading().Known() {
		t.Error("the trigger that changed has the reading of what it was")
	}
}

// TestRefresh: what no watch tells of is resolved again, on every replica.
func TestRefresh(t *testing.T) {
	folder := t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(folder, "keys.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"sheets":"7"}`)
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withAuth(kedav1alpha1.KindClusterTriggerAuthentication, "keys")),
		newDeployment("plain", 0), newObject("plain"), &kedav1alpha1.ClusterTriggerAuthentication{
			ObjectMeta: metav1.ObjectMeta{Name: "keys"}, Spec: kedav1alpha1.TriggerAuthenticationSpec{FilePath: "keys.json"},
		})
	now := time.Now()
	restart := func(leads bool) {
		leader := poll.NewLeader("this")
		if leads {
			leader.Elect()
		}
		w.restart(leader)
		w.r.Auth.Options = auth.Options{FileRoot: folder, Now: func() time.Time { return now }, RefreshPeriod: 10 * time.Second}
	}
	for _, leads := range []bool{true, false} {
		restart(leads)
		if got := w.settle("orders").RequeueAfter; got != 10*time.Second {
			t.Errorf("a replica that leads: %t, looks again after %s, want 10 s", leads, got)
		}
		if got := w.settle("plain").RequeueAfter; got != 0 {
			t.Errorf("a replica that leads: %t, looks again after %s at an object that watches tell of", leads, got)
		}
	}
	restart(true)
	write(`{`)
	if got := w.settle("orders").RequeueAfter; got != time.Second {
		t.Errorf("what could not be resolved is tried again after %s, want 1 s", got)
	}
	for _, tc := range []struct{ a, b, want time.Duration }{{0, 0, 0}, {1, 0, 1}, {0, 1, 1}, {1, 2, 1}, {2, 1, 1}} {
		if got := sooner(tc.a, tc.b); got != tc.want {
			t.Errorf("the sooner of %d and %d is %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}

func TestSummarize(t *testing.T) {
	auth := func(t kedav1alpha1.ScaleTriggers, name string) kedav1alpha1.ScaleTriggers {
		t.AuthenticationRef = &kedav1alpha1.AuthenticationRef{Name: name}
		return t
	}
	w := newWorld(t,
		&kedav1alpha1.TriggerAuthentication{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "keys"}},
		&kedav1alpha1.TriggerAuthentication{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "pass"}})
	so := newObject("orders", withTriggers(
		auth(newTrigger("a"), "keys"), kedav1alpha1.ScaleTriggers{Type: "drawer"}, newTrigger("c"), auth(newTrigger("d"), "pass"), auth(newTrigger("e"), "keys")))
	summarize(so, w.r.resolve(t.Context(), so))
	want := kedav1alpha1.ScaledObjectStatus{
		TriggersTypes: "tray,drawer", AuthenticationsTypes: "keys,pass",
		ExternalMetricNames: []string{"s0-tray-a", "s1-drawer", "s2-tray-c", "s3-tray-d", "s4-tray-e"},
	}
	if diff := cmp.Diff(want, so.Status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}
