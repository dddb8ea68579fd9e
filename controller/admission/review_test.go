package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/checks"
)

// TestUpdates: a change is refused for what is wrong in it, and for nothing that
// was so before or that it does not touch.
func TestUpdates(t *testing.T) {
	good := func() *kedav1alpha1.ScaledObject { return scaled(t, "orders", "") }
	bad := func() *kedav1alpha1.ScaledObject {
		return scaled(t, "orders", "minReplicaCount: 101, triggers: [{type: reddis, metadata: {}}]")
	}
	with := func(so *kedav1alpha1.ScaledObject, edit func(*kedav1alpha1.ScaledObject)) *kedav1alpha1.ScaledObject {
		edit(so)
		return so
	}
	for _, tc := range []struct {
		reason   string
		old, new *kedav1alpha1.ScaledObject
		words    []string
		warnings []string
	}{
		{reason: "good becomes bad", old: good(), new: bad(), words: []string{"maxReplicaCount", "reddis"}},
		{reason: "bad becomes good", old: bad(), new: good()},
		{reason: "bad gets a label", old: bad(), new: with(bad(), func(so *kedav1alpha1.ScaledObject) { so.Labels = map[string]string{"a": "b"} })},
		{reason: "bad gets a status", old: bad(), new: with(bad(), func(so *kedav1alpha1.ScaledObject) { so.Status.HpaName = "a" })},
		{reason: "bad loses its finalizer", new: bad(),
			old: with(bad(), func(so *kedav1alpha1.ScaledObject) { so.Finalizers = []string{kedav1alpha1.Finalizer} })},
		{reason: "what is being deleted may become anything", old: good(), new: with(bad(), func(so *kedav1alpha1.ScaledObject) {
			so.DeletionTimestamp = &metav1.Time{Time: time.Unix(7, 0)}
		})},
		{reason: "bad is paused", old: bad(), new: with(bad(), func(so *kedav1alpha1.ScaledObject) {
			so.Annotations = map[string]string{kedav1alpha1.AnnotationPaused: "true"}
		})},
		{reason: "bad is changed elsewhere", old: bad(), new: with(bad(), func(so *kedav1alpha1.ScaledObject) { so.Spec.CooldownPeriod = new(int32(5)) }),
			warnings: []string{"maxReplicaCount", "reddis", "cooldownPeriod"}},
		{reason: "bad is half mended", old: bad(), new: with(bad(), func(so *kedav1alpha1.ScaledObject) { so.Spec.MinReplicaCount = nil }), warnings: []string{"reddis"}},
		{reason: "bad becomes worse", old: bad(), new: with(bad(), func(so *kedav1alpha1.ScaledObject) { so.Spec.ScaleTargetRef.APIVersion = "a/b/c" }),
			words: []string{"apiVersion"}, warnings: []string{"reddis"}},
		{reason: "an annotation that rules speak of", old: good(), new: with(good(), func(so *kedav1alpha1.ScaledObject) {
			so.Annotations = map[string]string{kedav1alpha1.AnnotationTransferHPAOwnership: "true"}
		}), words: []string{"take over"}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			response := newWorld(t).expect(t, request(t, kedav1alpha1.KindScaledObject, tc.new, tc.old), tc.words...)
			for _, word := range tc.warnings {
				if !slices.ContainsFunc(response.Warnings, func(w string) bool { return strings.Contains(w, word) }) {
					t.Errorf("no warning speaks of %s: %q", word, response.Warnings)
				}
			}
			if len(tc.warnings) == 0 && len(response.Warnings) > 0 {
				t.Errorf("it warns of %q", response.Warnings)
			}
		})
	}
}

// TestUnseen: what an authentication or the environment gives is not missing,
// although its value is not seen.
func TestUnseen(t *testing.T) {
	auth := func(spec string) client.Object {
		return object(t, &kedav1alpha1.TriggerAuthentication{}, "{metadata: {name: redis}, spec: {"+spec+"}}")
	}
	byAuth := "triggers: [{type: redis, metadata: {listName: a}, authenticationRef: {name: redis}}]"
	for _, tc := range []struct {
		reason string
		around []client.Object
		spec   string
		words  []string
		warns  string
	}{
		{reason: "from a Secret", spec: byAuth, around: []client.Object{auth("secretTargetRef: [{parameter: address, name: a, key: b}]")}},
		{reason: "from Vault", spec: byAuth, around: []client.Object{auth("hashiCorpVault: {address: 'http://a', secrets: [{parameter: address, path: a, key: b}]}")}},
		{reason: "from a file", spec: byAuth, around: []client.Object{auth("filePath: a")}},
		{reason: "from the environment", spec: "triggers: [{type: redis, metadata: {listName: a, addressFromEnv: ADDRESS}}]"},
		{reason: "not by this authentication", around: []client.Object{auth("secretTargetRef: [{parameter: password, name: a, key: b}]")},
			spec: "triggers: [{type: redis, metadata: {address: 'redis:6379'}, authenticationRef: {name: redis}}]", words: []string{"listName is missing"}},
		{reason: "by one that is not there yet", spec: byAuth, warns: "TriggerAuthentication redis, which does not exist yet"},
		{reason: "by a cluster's that is not there yet", warns: "ClusterTriggerAuthentication redis, which does not exist yet",
			spec: "triggers: [{type: redis, metadata: {listName: a}, authenticationRef: {kind: ClusterTriggerAuthentication, name: redis}}]"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			response := newWorld(t, tc.around...).expect(t, request(t, kedav1alpha1.KindScaledObject, scaled(t, "orders", tc.spec), nil), tc.words...)
			if !strings.Contains(strings.Join(response.Warnings, "\n"), tc.warns) {
				t.Errorf("it warns of %q, want %q", response.Warnings, tc.warns)
			}
		})
	}
}

// TestWarnings: settings without effect are warnings, and events on the object
// when they are new and it is stored.
func TestWarnings(t *testing.T) {
	so := scaled(t, "orders", "minReplicaCount: 1, pollingInterval: 5, cooldownPeriod: 5, "+
		"triggers: [{type: redis, metadata: {address: 'redis:6379', listName: a, listname: b}}]")
	w := newWorld(t)
	response := w.expect(t, request(t, kedav1alpha1.KindScaledObject, so, nil))
	for _, word := range []string{"spec.pollingInterval", "spec.cooldownPeriod", "spec.triggers[0].metadata.listname"} {
		if !slices.ContainsFunc(response.Warnings, func(w string) bool { return strings.Contains(w, word) }) {
			t.Errorf("no warning speaks of %s: %q", word, response.Warnings)
		}
	}
	if e := <-w.events.Events; !strings.Contains(e, "KEDAScalerInfo") || !strings.Contains(e, "pollingInterval") || !strings.Contains(e, "cooldownPeriod") {
		t.Errorf("the event is %q", e)
	}
	dry := request(t, kedav1alpha1.KindScaledObject, so, nil)
	dry.DryRun = new(true)
	if response := w.expect(t, dry); len(response.Warnings) != 3 {
		t.Errorf("a dry run warns of %q", response.Warnings)
	}
	changed := so.DeepCopy()
	changed.Spec.MaxReplicaCount = new(int32(7))
	w.expect(t, request(t, kedav1alpha1.KindScaledObject, changed, so))
	if n := len(w.events.Events); n > 0 {
		t.Errorf("there are %d events more, of a dry run and of what was so before", n)
	}
}

// TestNotLookedAt: what is no business of Freshet's passes.
func TestNotLookedAt(t *testing.T) {
	bad := scaled(t, "orders", "minReplicaCount: 101")
	w := newWorld(t)
	bad.Labels = map[string]string{"shard": "a"}
	elsewhere := request(t, kedav1alpha1.KindScaledObject, bad, nil)
	for _, place := range []string{"lab a", "shop b"} {
		w.Watches = func(_, namespace string, labels map[string]string) bool {
			return namespace+" "+labels["shard"] == place
		}
		w.expect(t, elsewhere)
	}
	w.Watches = func(kind, namespace string, labels map[string]string) bool {
		return kind == kedav1alpha1.KindScaledObject && namespace == "shop" && labels["shard"] == "a"
	}
	w.expect(t, elsewhere, "maxReplicaCount")
	deletion := request(t, kedav1alpha1.KindScaledObject, bad, bad)
	deletion.Operation = admissionv1.Delete
	w.expect(t, deletion)
	status := request(t, kedav1alpha1.KindScaledObject, bad, scaled(t, "orders", ""))
	status.SubResource = "status"
	w.expect(t, status)
}

// TestUnreadable: an object that no controller could read is refused.
func TestUnreadable(t *testing.T) {
	req := request(t, kedav1alpha1.KindScaledObject, scaled(t, "orders", ""), nil)
	req.Object.Raw = []byte(`{"spec": {"maxReplicaCount": "many"}}`)
	newWorld(t).expect(t, req, "maxReplicaCount")
}

// broken is a cache that fails.
type broken struct {
	client.Reader
	fail func() error
}

func (b broken) List(context.Context, client.ObjectList, ...client.ListOption) error { return b.fail() }

// TestNoAnswer: while there is no answer the call fails, so that the
// failurePolicy decides, and nothing is refused.
func TestNoAnswer(t *testing.T) {
	review := func(w *world) *httptest.ResponseRecorder {
		req := request(t, kedav1alpha1.KindScaledObject, scaled(t, "orders", ""), nil)
		body, err := json.Marshal(admissionv1.AdmissionReview{
			TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: &req.AdmissionRequest,
		})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		w.handler(kinds[kedav1alpha1.KindScaledObject]).ServeHTTP(recorder, r)
		return recorder
	}
	w := newWorld(t)
	if got := review(w); got.Code != http.StatusServiceUnavailable {
		t.Errorf("before the cache is filled the answer is %d %s", got.Code, got.Body)
	}
	if err := afterCaches(func() { w.ready.Store(true) }).Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := review(w)
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil || got.Code != http.StatusOK || !answer.Response.Allowed || answer.Response.UID != "1" {
		t.Errorf("the answer is %d %s (%v)", got.Code, got.Body, err)
	}
	for reason, fail := range map[string]func() error{
		"an error": func() error { return errors.New("no such index") }, "a panic": func() error { panic("no such index") },
	} {
		w.Reader = broken{w.Reader, fail}
		if got := review(w); got.Code != http.StatusInternalServerError || !strings.Contains(got.Body.String(), "no such index") {
			t.Errorf("%s gives %d %s", reason, got.Code, got.Body)
		}
	}
	if len(w.reviews) != 1 {
		t.Errorf("counted is %q, and only one was answered", w.reviews)
	}
}

// FuzzReview: whatever the API server sends, a review answers; and what it lets
// pass, nothing that reads the object stumbles over.
func FuzzReview(f *testing.F) {
	for _, seed := range []string{
		`{"metadata":{"name":"a"},"spec":{"scaleTargetRef":{"name":"a"},"triggers":[{"type":"redis","metadata":{"address":"a:1","listName":"b"}}]}}`,
		`{"metadata":{"name":"a"},"spec":{"scaleTargetRef":{"name":"a"},"minReplicaCount":1,"triggers":[{"type":"cpu","metricType":"Utilization","metadata":{"value":"50"}}]}}`,
		`{"metadata":{"name":"a","annotations":{"autoscaling.keda.sh/paused-replicas":"2"}},"spec":{"scaleTargetRef":{"name":"a"},"fallback":{"failureThreshold":1,"replicas":1,"behavior":"scalingModifiers"},"advanced":{"scalingModifiers":{"formula":"a ?? 2","target":"1"}},"triggers":[{"type":"cron","name":"a","metadata":{"timezone":"UTC","start":"0 6 * * *","end":"0 8 * * *","desiredReplicas":"2"}}]}}`,
		`{"metadata":{"name":"a"},"spec":{"triggers":[{"type":"kafka","metadata":{"topic":"a"},"authenticationRef":{"name":"b"}},null],"jobTargetRef":{"template":{"spec":{"containers":[{}]}}}}}`,
		`{"metadata":{"name":"a"},"spec":{"oauth2":{"clientId":"a","tokenUrl":"http://%zz"},"podIdentity":{"provider":"aws","roleArn":"a","identityOwner":"workload"}}}`,
		`{"spec":null}`, `null`, `[]`, ``,
	} {
		for kind := range kinds {
			f.Add(kind, []byte(seed), []byte(`{}`))
		}
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, kindName string, raw, old []byte) {
		k, ok := kinds[kindName]
		if !ok {
			return
		}
		req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Kind: metav1.GroupVersionKind{Kind: kindName}, Namespace: "shop", Operation: admissionv1.Update, DryRun: new(true),
		}}
		req.Object.Raw, req.OldObject.Raw = raw, old
		response, err := w.review(t.Context(), k, req)
		if err != nil {
			return // the call fails, and the object is not stored by it
		}
		if !response.Allowed {
			if response.Result.Message == "" {
				t.Error("it is refused without a reason")
			}
			return
		}
		obj, err := decode(k, req, req.Object)
		if err != nil {
			t.Fatal(err)
		}
		use(t, obj)
	})
}

// use asks an object everything that a component asks it.
func use(t *testing.T, obj client.Object) {
	t.Helper()
	switch o := obj.(type) {
	case *kedav1alpha1.ScaledObject:
		_, _, _, _ = o.PollingInterval(), o.CooldownPeriod(), o.InitialCooldownPeriod(), o.HPABehavior()
		_, _, _, _ = o.IdleReplicas(), o.HPAMinReplicas(), o.RestoresReplicas(), o.HPAExcludedLabels()
		_, _ = o.PausedReplicas()
		if m := o.ScalingModifiers(); m != nil {
			_, _ = m.ActivationTargetValue()
			_, _ = m.TargetValue()
		}
		triggersOf(t, kedav1alpha1.KindScaledObject, o.Spec.Triggers)
	case *kedav1alpha1.ScaledJob:
		_, _, _, _ = o.PollingInterval(), o.MinReplicas(), o.SuccessfulJobsHistoryLimit(), o.FailedJobsHistoryLimit()
		_, _, _, _ = o.RolloutStrategy(), o.DeletionPropagation(), o.PodRestartPolicy(), o.ScalingStrategy()
		triggersOf(t, kedav1alpha1.KindScaledJob, o.Spec.Triggers)
	case *kedav1alpha1.TriggerAuthentication:
		checks.NewGiven(&o.Spec, nil)
	case *kedav1alpha1.ClusterTriggerAuthentication:
		checks.NewGiven(&o.Spec, nil)
	}
}
