package admission

import (
	"fmt"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// annotated gives an object an annotation.
func annotated(obj *unstructured.Unstructured, key, value string) *unstructured.Unstructured {
	obj.SetAnnotations(map[string]string{key: value})
	return obj
}

// Every check of the specification, by its number there: the API server refuses
// the object, by a rule of its definition or by asking Freshet.
func TestChecks(t *testing.T) {
	t.Parallel()
	const byDefinition, byWebhook = "is invalid", "denied the request"
	const utilization = "minReplicaCount: 1, scaleTargetRef: {name: other}, triggers: [{type: cpu, metricType: Utilization, metadata: {value: '50'}}]"
	const cached = "triggers: [{type: cron, useCachedMetrics: true, metadata: {timezone: UTC, start: 0 6 * * *, end: 0 8 * * *, desiredReplicas: '2'}}]"
	const twice = "triggers: [{type: redis, name: a, metadata: {address: 'a:1', listName: b}}, {type: redis, name: a, metadata: {address: 'a:1', listName: c}}]"
	const job = "jobTargetRef: {template: {spec: {containers: [{name: a, image: a}]}}}, "
	free := func(name, spec string) *unstructured.Unstructured {
		if !strings.Contains(spec, "scaleTargetRef:") {
			spec = "scaleTargetRef: {name: free}, " + spec
		}
		return worker(name, strings.TrimSuffix(spec, ", "))
	}
	s := newScene(t)
	s.Deployment("worker", 1)
	s.Deployment("other", 1)
	s.Deployment("scaled", 1)
	s.Create(worker("first", ""))
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	s.Must(yaml.Unmarshal([]byte("{metadata: {name: mine}, spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: scaled}}}"), hpa))
	s.Create(hpa)
	for _, tc := range []struct {
		check string
		obj   *unstructured.Unstructured
		by    string
		words []string
	}{
		{"1: another on the target", worker("second", ""), byWebhook, []string{"Deployment worker is already scaled by ScaledObject first"}},
		{"2: another with the HPA's name", free("a", "advanced: {horizontalPodAutoscalerConfig: {name: keda-hpa-first}}"), byWebhook, []string{"ScaledObject first"}},
		{"3: a formula that cannot be read", free("a", "advanced: {scalingModifiers: {formula: 'a +', target: '1'}}"), byWebhook, []string{"formula"}},
		{"3: a formula of a trigger that is not there", free("a", "advanced: {scalingModifiers: {formula: 'b', target: '1'}}"), byWebhook, []string{"unknown name b"}},
		{"3: a formula without a target", free("a", "advanced: {scalingModifiers: {formula: 'a'}}"), byDefinition, []string{"target"}},
		{"4: a formula's target of 0", free("a", "advanced: {scalingModifiers: {formula: 'a', target: '0'}}"), byDefinition, []string{"above 0"}},
		{"4: a formula of Utilization", free("a", "advanced: {scalingModifiers: {formula: 'a', target: '1', metricType: Utilization}}"), byDefinition, []string{"metricType"}},
		{"5: a fallback by a formula that is not there", free("a", "fallback: {failureThreshold: 1, replicas: 1, behavior: scalingModifiers}"), byDefinition, []string{"formula"}},
		{"6: a container that requests nothing", free("a", utilization), byWebhook, []string{"container worker", "cpu"}},
		{"7: only cpu from zero", free("a", "triggers: [{type: cpu, metricType: AverageValue, metadata: {value: '1'}}]"), byDefinition, []string{"minReplicaCount"}},
		{"8: an HPA of somebody's", free("a", "scaleTargetRef: {name: scaled}"), byWebhook, []string{"HorizontalPodAutoscaler mine"}},
		{"9: a transfer of none", annotated(free("a", ""), kedav1alpha1.AnnotationTransferHPAOwnership, "true"), byWebhook, []string{"take over"}},
		{"10: min above max", free("a", "minReplicaCount: 3, maxReplicaCount: 2"), byDefinition, []string{"maxReplicaCount"}},
		{"11: idle as high as min", free("a", "minReplicaCount: 3, idleReplicaCount: 3"), byDefinition, []string{"idleReplicaCount"}},
		{"12: a fallback below 0", free("a", "fallback: {failureThreshold: -1, replicas: 1}"), byDefinition, []string{"failureThreshold"}},
		{"12: a fallback of cpu", free("a", "minReplicaCount: 1, fallback: {failureThreshold: 1, replicas: 1}, triggers: [{type: cpu, metricType: AverageValue, metadata: {value: '1'}}]"), byDefinition, []string{"fallback"}},
		{"13: a name of 64", free(strings.Repeat("n", 64), "advanced: {horizontalPodAutoscalerConfig: {name: a}}"), byWebhook, []string{"64 characters"}},
		{"14: an HPA's name that follows of 64", free(strings.Repeat("n", 55), ""), byWebhook, []string{"64 characters"}},
		{"14: an HPA's name of 64", free("a", "advanced: {horizontalPodAutoscalerConfig: {name: "+strings.Repeat("n", 64)+"}}"), byDefinition, []string{"63"}},
		{"15: no triggers", free("a", "triggers: []"), byDefinition, []string{"triggers"}},
		{"15: two triggers of one name", free("a", twice), byWebhook, []string{"spec.triggers[1].name"}},
		{"15: cron that is cached", free("a", cached), byDefinition, []string{"useCachedMetrics"}},
		{"15: a job with two triggers of one name", object("ScaledJob", "a", job+twice), byWebhook, []string{"spec.triggers[1].name"}},
		{"15: a job with cached cron", object("ScaledJob", "a", job+cached), byDefinition, []string{"useCachedMetrics"}},
		{"16: an empty client", object("TriggerAuthentication", "a", "podIdentity: {provider: azure-workload, identityId: ''}"), byDefinition, []string{"identityId"}},
		{"16: an empty tenant", object("ClusterTriggerAuthentication", "a", "podIdentity: {provider: azure-workload, identityTenantId: ''}"), byDefinition, []string{"identityTenantId"}},
		{"16: an authority without a tenant", object("TriggerAuthentication", "a", "podIdentity: {provider: azure-workload, identityAuthorityHost: 'https://a'}"), byDefinition, []string{"identityTenantId"}},
		{"17: two roles", object("TriggerAuthentication", "a", "podIdentity: {provider: aws, roleArn: r, identityOwner: workload}"), byDefinition, []string{"roleArn"}},
		{"18: an external id alone", object("ClusterTriggerAuthentication", "a", "podIdentity: {provider: aws, externalID: e}"), byDefinition, []string{"externalID"}},
		{"19: a grant that is not known", object("TriggerAuthentication", "a", "oauth2: {type: password, clientId: a, tokenUrl: 'https://a'}"), byDefinition, []string{"clientCredentials"}},
		{"19: no client", object("TriggerAuthentication", "a", "oauth2: {clientId: '', tokenUrl: 'https://a'}"), byDefinition, []string{"clientId"}},
		{"19: no token's URL", object("TriggerAuthentication", "a", "oauth2: {clientId: a, tokenUrl: ''}"), byDefinition, []string{"tokenUrl"}},
		{"19: a token's path", object("TriggerAuthentication", "a", "oauth2: {clientId: a, tokenUrl: /token}"), byDefinition, []string{"absolute URL"}},
		{"19: a token's URL without a host", object("TriggerAuthentication", "a", "oauth2: {clientId: a, tokenUrl: 'http://%zz'}"), byWebhook, []string{"absolute URL"}},
		{"metadata that the trigger refuses", free("a", "triggers: [{type: redis, metadata: {address: 'a:1', listLength: five}}]"), byWebhook,
			[]string{"listName is missing", `listLength is "five"`}},
		{"a job with metadata that the trigger refuses", object("ScaledJob", "a", job+"triggers: [{type: redis, metadata: {address: 'a:1'}}]"), byWebhook, []string{"listName is missing"}},
	} {
		t.Run(tc.check, func(t *testing.T) {
			s.in(t).Eventually("a refusal", func() error { // Freshet's cache may be behind
				err := s.try(tc.obj)
				for _, word := range append([]string{tc.by}, tc.words...) {
					if err == nil || !strings.Contains(err.Error(), word) {
						return fmt.Errorf("there is none that holds %q: %w", word, err)
					}
				}
				return nil
			})
		})
	}
	s.Must(s.try(free("a", "")))
	s.Must(s.try(annotated(free("a", "scaleTargetRef: {name: scaled}, advanced: {horizontalPodAutoscalerConfig: {name: mine}}"), kedav1alpha1.AnnotationTransferHPAOwnership, "true")))
	s.expectCounted("other-scaled-object", "other-hpa", "missing-requests", "incorrect-trigger-metadata")
}

// expectCounted finds the reasons in the self-metrics.
func (s *scene) expectCounted(reasons ...string) {
	s.Helper()
	text, err := world.Freshet.Metrics(s.Ctx)
	s.Must(err)
	for _, reason := range reasons {
		if want := fmt.Sprintf(`keda_webhook_scaled_object_validation_errors_total{action="create",namespace="%s",reason="%s"}`, s.Namespace, reason); !strings.Contains(text, want) {
			s.Errorf("the self-metrics lack %s", want)
		}
	}
	if want := fmt.Sprintf(`keda_webhook_scaled_object_validations_total{action="create",namespace="%s"}`, s.Namespace); !strings.Contains(text, want) {
		s.Errorf("the self-metrics lack %s", want)
	}
}

// Whoever applies an object is warned of what has no effect in it, and it stands
// in events.
func TestWarnings(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Deployment("worker", 1)
	s.warnings()
	obj := worker("worker", "minReplicaCount: 1, pollingInterval: 5, cooldownPeriod: 5, "+
		"triggers: [{type: redis, metadata: {address: '127.0.0.1:1', listName: a, listname: a}, authenticationRef: {name: later}}]")
	obj.SetNamespace(s.Namespace)
	s.Must(s.client.Create(s.Ctx, obj))
	warned := strings.Join(s.warnings(), "\n")
	for _, word := range []string{"spec.pollingInterval", "spec.cooldownPeriod", "metadata.listname", "later, which does not exist yet"} {
		if !strings.Contains(warned, word) {
			t.Errorf("nothing warns of %s: %s", word, warned)
		}
	}
	s.ExpectEvent("worker", "KEDAScalerInfo", "spec.pollingInterval")
	s.ExpectEvent("worker", "KEDAScalerInfo", "spec.cooldownPeriod")
}
