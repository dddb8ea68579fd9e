package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clientevents "k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/yaml"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/checks"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/scaledobject"
	_ "github.com/freshet-io/freshet/scalers/all"
)

// counted remembers reviews.
type counted struct{ reviews []string }

func (c *counted) Reviewed(namespace, action string, reasons []string) {
	c.reviews = append(c.reviews, namespace+" "+action+" "+strings.Join(reasons, ","))
}

// builderIndexer gives a fake client the indexes of the cache.
type builderIndexer struct{ builder *fake.ClientBuilder }

func (b builderIndexer) IndexField(_ context.Context, obj client.Object, field string, extract client.IndexerFunc) error {
	b.builder.WithIndex(obj, field, extract)
	return nil
}

// world is a cluster with objects, and a validator of it.
type world struct {
	*Validator
	events *clientevents.FakeRecorder
	counted
}

// newScheme knows the kinds that are reviewed and looked at.
func newScheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, kedav1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

// byTarget is the index of the controller of ScaledObjects.
func byTarget(obj client.Object) []string {
	ref := &obj.(*kedav1alpha1.ScaledObject).Spec.ScaleTargetRef
	gvk, err := ref.GVK()
	if err != nil {
		return nil
	}
	return []string{scaledobject.TargetKey(gvk.Group, gvk.Kind, ref.Name)}
}

func newWorld(t testing.TB, objects ...client.Object) *world {
	t.Helper()
	builder := fake.NewClientBuilder().WithScheme(newScheme(t)).WithObjects(objects...)
	builder.WithIndex(&kedav1alpha1.ScaledObject{}, scaledobject.TargetIndex, byTarget)
	if err := addIndexes(t.Context(), builderIndexer{builder}); err != nil {
		t.Fatal(err)
	}
	w := &world{events: clientevents.NewFakeRecorder(20)}
	w.Validator = &Validator{Reader: builder.Build(), Events: events.Recorder{Sink: w.events}, Counter: &w.counted}
	return w
}

// object reads one of YAML into its kind.
func object[T client.Object](t testing.TB, obj T, text string) T {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), obj); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	obj.SetNamespace("shop")
	return obj
}

// scaled is a ScaledObject named orders on Deployment orders, with one Redis
// trigger, and more fields of its spec.
func scaled(t testing.TB, name, more string) *kedav1alpha1.ScaledObject {
	t.Helper()
	if !strings.Contains(more, "triggers:") {
		more = "triggers: [{type: redis, metadata: {address: 'redis:6379', listName: orders}}], " + more
	}
	if !strings.Contains(more, "scaleTargetRef:") {
		more = "scaleTargetRef: {name: orders}, " + more
	}
	return object(t, &kedav1alpha1.ScaledObject{}, fmt.Sprintf("{metadata: {name: %s}, spec: {%s}}", name, more))
}

// request asks for a review of obj, and of its change when there is an old one.
func request(t testing.TB, kind string, obj, old client.Object) admission.Request {
	t.Helper()
	raw := func(obj client.Object) runtime.RawExtension {
		text, err := json.Marshal(obj)
		if err != nil {
			t.Fatal(err)
		}
		return runtime.RawExtension{Raw: text}
	}
	req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: "1", Kind: metav1.GroupVersionKind{Group: kedav1alpha1.GroupName, Version: "v1alpha1", Kind: kind},
		Namespace: "shop", Name: obj.GetName(), Operation: admissionv1.Create, Object: raw(obj),
	}}
	if old != nil {
		req.Operation, req.OldObject = admissionv1.Update, raw(old)
	}
	return req
}

func (w *world) reviewed(t testing.TB, req admission.Request) admission.Response {
	t.Helper()
	response, err := w.safely(t.Context(), kinds[req.Kind.Kind], req)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// expect reviews and compares: the words must all be in the refusal, none is no
// refusal.
func (w *world) expect(t testing.TB, req admission.Request, words ...string) admission.Response {
	t.Helper()
	response := w.reviewed(t, req)
	message := ""
	if response.Result != nil {
		message = response.Result.Message
	}
	if response.Allowed != (len(words) == 0) {
		t.Errorf("allowed is %t: %s", response.Allowed, message)
	}
	for _, word := range words {
		if !strings.Contains(message, word) {
			t.Errorf("the refusal lacks %q: %s", word, message)
		}
	}
	return response
}

var (
	deployment = func(t testing.TB, containers string) client.Object {
		return object(t, &appsv1.Deployment{}, "{metadata: {name: orders}, spec: {template: {spec: {containers: ["+containers+"]}}}}")
	}
	hpa = func(t testing.TB, metadata string) *autoscalingv2.HorizontalPodAutoscaler {
		return object(t, &autoscalingv2.HorizontalPodAutoscaler{},
			"{metadata: {"+metadata+"}, spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: orders}}}")
	}
)

// TestChecks: every check of a ScaledObject, with the reason that it is counted
// under.
func TestChecks(t *testing.T) {
	const utilization = "minReplicaCount: 1, triggers: [{type: cpu, metricType: Utilization, metadata: {value: '50'}}]"
	const named = "triggers: [{type: redis, name: a, metadata: {address: 'redis:6379', listName: orders}}]"
	long := strings.Repeat("n", 55)
	limits := func(kind, fields string) client.Object {
		return object(t, &corev1.LimitRange{}, "{metadata: {name: defaults}, spec: {limits: [{type: "+kind+", "+fields+"}]}}")
	}
	for _, tc := range []struct {
		check, reason string
		around        []client.Object
		object        *kedav1alpha1.ScaledObject
		words         []string
	}{
		{check: "a good one", object: scaled(t, "orders", "")},
		{check: "1: another on the target", reason: checks.ReasonOtherScaledObject,
			around: []client.Object{scaled(t, "first", "")}, object: scaled(t, "orders", ""), words: []string{"Deployment orders", "ScaledObject first"}},
		{check: "1: another on the target, by another version of its group", reason: checks.ReasonOtherScaledObject,
			around: []client.Object{scaled(t, "first", "scaleTargetRef: {apiVersion: apps/v1beta2, kind: Deployment, name: orders}")},
			object: scaled(t, "orders", ""), words: []string{"ScaledObject first"}},
		{check: "1: another on one of the same name of another kind",
			around: []client.Object{scaled(t, "first", "scaleTargetRef: {kind: StatefulSet, name: orders}")}, object: scaled(t, "orders", "")},
		{check: "2: another with the HPA's name", reason: checks.ReasonOtherScaledObjectHPA,
			around: []client.Object{scaled(t, "first", "scaleTargetRef: {name: a}, advanced: {horizontalPodAutoscalerConfig: {name: keda-hpa-orders}}")},
			object: scaled(t, "orders", ""), words: []string{"keda-hpa-orders", "first"}},
		{check: "3: a formula that cannot be read", reason: checks.ReasonModifiers,
			object: scaled(t, "orders", "advanced: {scalingModifiers: {formula: 'a +', target: '1'}}, "+named), words: []string{"cannot be used"}},
		{check: "3: a formula of a trigger that is not there", reason: checks.ReasonModifiers,
			object: scaled(t, "orders", "advanced: {scalingModifiers: {formula: 'missing + 1', target: '1'}}, "+named), words: []string{"missing"}},
		{check: "3: a formula that gives a text", reason: checks.ReasonModifiers,
			object: scaled(t, "orders", "advanced: {scalingModifiers: {formula: '\"a\"', target: '1'}}, "+named), words: []string{"number"}},
		{check: "3: a formula over a trigger without a name", reason: checks.ReasonModifiers,
			object: scaled(t, "orders", "advanced: {scalingModifiers: {formula: '1', target: '1'}}"), words: []string{"spec.triggers[0].name"}},
		{check: "3: a formula over no trigger", reason: checks.ReasonModifiers, words: []string{"no trigger"}, object: scaled(t, "orders",
			"minReplicaCount: 1, advanced: {scalingModifiers: {formula: '1', target: '1'}}, triggers: [{type: cpu, metricType: AverageValue, metadata: {value: '1'}}]")},
		{check: "3: a formula without a target", reason: checks.ReasonModifiers,
			object: scaled(t, "orders", "advanced: {scalingModifiers: {formula: '1'}}, "+named), words: []string{"scalingModifiers.target"}},
		{check: "3: a target without a formula", reason: checks.ReasonModifiers,
			object: scaled(t, "orders", "advanced: {scalingModifiers: {target: '1'}}"), words: []string{"scalingModifiers.formula"}},
		{check: "3: a good formula",
			object: scaled(t, "orders", "advanced: {scalingModifiers: {formula: 'a > 3 ? max(a, 2) : 1 / (a - 1.5)', target: '1'}}, "+
				"triggers: [{type: redis, name: a, metadata: {address: 'redis:6379', listName: orders}}]")},
		{check: "4: a formula's target of 0", reason: checks.ReasonModifiers,
			object: scaled(t, "orders", "advanced: {scalingModifiers: {formula: '1', target: '0'}}, "+named), words: []string{"above 0"}},
		{check: "4: a formula of Utilization", reason: checks.ReasonModifiers,
			object: scaled(t, "orders", "advanced: {scalingModifiers: {formula: '1', target: '1', metricType: Utilization}}, "+named), words: []string{"metricType"}},
		{check: "5: a fallback by a formula that is not there", reason: checks.ReasonModifiersFallback,
			object: scaled(t, "orders", "fallback: {failureThreshold: 1, replicas: 1, behavior: scalingModifiers}"), words: []string{"formula"}},
		{check: "6: a container that requests nothing", reason: checks.ReasonMissingRequests,
			around: []client.Object{deployment(t, "{name: a, resources: {requests: {cpu: 1}}}, {name: b, resources: {requests: {memory: 1Gi}}}")},
			object: scaled(t, "orders", utilization), words: []string{"container b", "cpu"}},
		{check: "6: requests, and a limit, which is one", object: scaled(t, "orders", utilization),
			around: []client.Object{deployment(t, "{name: a, resources: {requests: {cpu: 1}}}, {name: b, resources: {limits: {cpu: 1}}}")}},
		{check: "6: requests of the pod", object: scaled(t, "orders", utilization),
			around: []client.Object{deployment(t, "{name: a}], resources: {requests: {cpu: 1}}, volumes: [")}},
		{check: "6: a default request", object: scaled(t, "orders", utilization),
			around: []client.Object{deployment(t, "{name: a}"), limits("Container", "defaultRequest: {cpu: 1}")}},
		{check: "6: a default limit", object: scaled(t, "orders", utilization),
			around: []client.Object{deployment(t, "{name: a}"), limits("Container", "default: {cpu: 1}")}},
		{check: "6: a default of another resource", reason: checks.ReasonMissingRequests, object: scaled(t, "orders", utilization),
			around: []client.Object{deployment(t, "{name: a}"), limits("Container", "default: {memory: 1}")}, words: []string{"container a"}},
		{check: "6: the one container that is measured", object: scaled(t, "orders", strings.Replace(utilization, "value:", "containerName: a, value:", 1)),
			around: []client.Object{deployment(t, "{name: a, resources: {requests: {cpu: 1}}}, {name: b}")}},
		{check: "6: an average value needs no requests", around: []client.Object{deployment(t, "{name: a}")},
			object: scaled(t, "orders", "minReplicaCount: 1, triggers: [{type: cpu, metricType: AverageValue, metadata: {value: '1'}}]")},
		{check: "6: a target that is not there yet", object: scaled(t, "orders", utilization)},
		{check: "7: only cpu from zero", reason: checks.ReasonScaleToZero,
			object: scaled(t, "orders", "triggers: [{type: cpu, metricType: AverageValue, metadata: {value: '1'}}]"), words: []string{"minReplicaCount"}},
		{check: "8: an HPA of somebody's", reason: checks.ReasonOtherHPA,
			around: []client.Object{hpa(t, "name: mine")}, object: scaled(t, "orders", ""), words: []string{"HorizontalPodAutoscaler mine"}},
		{check: "8: an HPA that says it may be", around: []client.Object{hpa(t, `name: mine, annotations: {validations.keda.sh/hpa-ownership: "false"}`)},
			object: scaled(t, "orders", "")},
		{check: "8: the object's own HPA", object: scaled(t, "orders", ""),
			around: []client.Object{hpa(t, "name: old, ownerReferences: [{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: orders, uid: x, controller: true}]")}},
		{check: "8: an HPA that is taken over", around: []client.Object{hpa(t, "name: mine")},
			object: object(t, scaled(t, "orders", "advanced: {horizontalPodAutoscalerConfig: {name: mine}}"),
				`{metadata: {annotations: {scaledobject.keda.sh/transfer-hpa-ownership: "true"}}}`)},
		{check: "9: a transfer of none", reason: checks.ReasonTransferName,
			object: object(t, scaled(t, "orders", ""), `{metadata: {annotations: {scaledobject.keda.sh/transfer-hpa-ownership: "true"}}}`),
			words:  []string{"name the HorizontalPodAutoscaler"}},
		{check: "10: min above max", reason: checks.ReasonReplicas, object: scaled(t, "orders", "minReplicaCount: 3, maxReplicaCount: 2"), words: []string{"maxReplicaCount"}},
		{check: "11: idle as high as min", reason: checks.ReasonReplicas, object: scaled(t, "orders", "minReplicaCount: 3, idleReplicaCount: 3"), words: []string{"idleReplicaCount"}},
		{check: "12: a fallback below 0", reason: checks.ReasonFallback, object: scaled(t, "orders", "fallback: {failureThreshold: -1, replicas: 1}"), words: []string{"failureThreshold"}},
		{check: "12: a fallback of cpu", reason: checks.ReasonFallback, words: []string{"neither cpu nor memory"},
			object: scaled(t, "orders", "minReplicaCount: 1, fallback: {failureThreshold: 1, replicas: 1}, triggers: [{type: cpu, metricType: AverageValue, metadata: {value: '1'}}]")},
		{check: "13: a name of 64", reason: checks.ReasonName, words: []string{"metadata.name"},
			object: scaled(t, strings.Repeat("n", 64), "advanced: {horizontalPodAutoscalerConfig: {name: a}}")},
		{check: "14: an HPA's name of 64", reason: checks.ReasonHPAName, object: scaled(t, long, ""), words: []string{"64 characters"}},
		{check: "15: no triggers", reason: checks.ReasonTriggers, object: scaled(t, "orders", "triggers: []"), words: []string{"trigger"}},
		{check: "15: two triggers of one name", reason: checks.ReasonTriggers, words: []string{"spec.triggers[1].name"}, object: scaled(t, "orders",
			"triggers: [{type: redis, name: a, metadata: {address: 'redis:6379', listName: b}}, {type: redis, name: a, metadata: {address: 'redis:6379', listName: c}}]")},
		{check: "15: cron that is cached", reason: checks.ReasonTriggers, words: []string{"useCachedMetrics"}, object: scaled(t, "orders",
			"triggers: [{type: cron, useCachedMetrics: true, metadata: {timezone: UTC, start: 0 6 * * *, end: 0 8 * * *, desiredReplicas: '2'}}]")},
		{check: "metadata that the trigger refuses", reason: checks.ReasonTriggerMetadata, words: []string{"listName is missing", "spec.triggers[0].metadata.listLength"},
			object: scaled(t, "orders", "triggers: [{type: redis, metadata: {address: 'redis:6379', listLength: five}}]")},
		{check: "a type that is not known", reason: checks.ReasonTriggerMetadata, words: []string{`"reddis"`},
			object: scaled(t, "orders", "triggers: [{type: reddis, metadata: {}}]")},
		{check: "several faults at once", reason: checks.ReasonReplicas + "," + checks.ReasonTriggerMetadata, words: []string{"maxReplicaCount", "listName"},
			object: scaled(t, "orders", "minReplicaCount: 101, triggers: [{type: redis, metadata: {address: 'redis:6379'}}]")},
		{check: "replicas to pause at that are no number", reason: checks.ReasonSpec, words: []string{"paused-replicas"},
			object: object(t, scaled(t, "orders", ""), `{metadata: {annotations: {autoscaling.keda.sh/paused-replicas: "many"}}}`)},
	} {
		t.Run(tc.check, func(t *testing.T) {
			w := newWorld(t, tc.around...)
			w.expect(t, request(t, kedav1alpha1.KindScaledObject, tc.object, nil), tc.words...)
			if want := []string{"shop create " + tc.reason}; !slices.Equal(w.reviews, want) {
				t.Errorf("counted is %q, want %q", w.reviews, want)
			}
		})
	}
}

// TestOtherKinds: what is refused of the other kinds.
func TestOtherKinds(t *testing.T) {
	const job = "jobTargetRef: {template: {spec: {containers: [{name: a}]}}}, "
	for _, tc := range []struct{ check, kind, spec, word string }{
		{"a good job", "ScaledJob", job + "triggers: [{type: redis, metadata: {address: 'redis:6379', listName: a}}]", ""},
		{"15: a job without triggers", "ScaledJob", job, "at least one trigger"},
		{"15: a job with two triggers of one name", "ScaledJob", job + "triggers: [{type: redis, name: a, metadata: {address: 'redis:6379', listName: a}}, {type: redis, name: a, metadata: {address: 'redis:6379', listName: b}}]", "another name"},
		{"15: a job with cached memory", "ScaledJob", job + "triggers: [{type: memory, useCachedMetrics: true, metadata: {value: '1'}}]", "never cached"},
		{"a job with metadata that the trigger refuses", "ScaledJob", job + "triggers: [{type: redis, metadata: {address: 'redis:6379'}}]", "listName is missing"},
		{"16: an empty client", "TriggerAuthentication", "podIdentity: {provider: azure-workload, identityId: ''}", "identityId"},
		{"16: an empty tenant", "ClusterTriggerAuthentication", "podIdentity: {provider: azure-workload, identityTenantId: ''}", "identityTenantId"},
		{"16: an authority without a tenant", "TriggerAuthentication", "podIdentity: {provider: azure-workload, identityAuthorityHost: 'https://a'}", "identityTenantId"},
		{"17: two roles", "TriggerAuthentication", "podIdentity: {provider: aws, roleArn: r, identityOwner: workload}", "roleArn"},
		{"18: an external id alone", "ClusterTriggerAuthentication", "podIdentity: {provider: aws, externalID: e}", "externalID"},
		{"19: a grant that is not known", "TriggerAuthentication", "oauth2: {type: password, clientId: a, tokenUrl: 'https://a'}", "oauth2.type"},
		{"19: no client", "TriggerAuthentication", "oauth2: {clientId: '', tokenUrl: 'https://a'}", "oauth2.clientId"},
		{"19: no token's URL", "TriggerAuthentication", "oauth2: {clientId: a, tokenUrl: ''}", "oauth2.tokenUrl"},
		{"19: a token's path, beside an identity", "ClusterTriggerAuthentication", "podIdentity: {provider: gcp}, oauth2: {clientId: a, tokenUrl: /token}", "absolute URL"},
		{"a good authentication", "TriggerAuthentication", "secretTargetRef: [{parameter: password, name: redis, key: password}]", ""},
	} {
		t.Run(tc.check, func(t *testing.T) {
			obj := object(t, kinds[tc.kind].empty(), "{metadata: {name: a}, spec: {"+tc.spec+"}}")
			var words []string
			if tc.word != "" {
				words = []string{tc.word}
			}
			w := newWorld(t)
			w.expect(t, request(t, tc.kind, obj, nil), words...)
			if len(w.reviews) > 0 {
				t.Errorf("counted is %q, and only ScaledObjects are", w.reviews)
			}
		})
	}
}
