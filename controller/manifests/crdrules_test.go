package manifests

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestRulesOfDefinitions: the CustomResourceDefinitions alone, without a webhook,
// refuse what their rules can tell. Each case is a spec, and the field that is
// refused; "" is none.
func TestRulesOfDefinitions(t *testing.T) {
	const target, redis, cpu = "scaleTargetRef: {name: a}, ", "triggers: [{type: redis, metadata: {}}]", "triggers: [{type: cpu, metadata: {}}, {type: memory, metadata: {}}]"
	modifiers := func(fields string) string {
		return target + redis + ", advanced: {scalingModifiers: {" + fields + "}}"
	}
	job := "jobTargetRef: {template: {spec: {containers: [{name: a}]}}}, "
	for _, tc := range []struct{ reason, kind, spec, field string }{
		{"a minimal object is good", "ScaledObject", target + redis, ""},
		{"min above max", "ScaledObject", target + redis + ", minReplicaCount: 3, maxReplicaCount: 2", "spec.minReplicaCount"},
		{"min above the default of max", "ScaledObject", target + redis + ", minReplicaCount: 101", "spec.minReplicaCount"},
		{"idle as high as min", "ScaledObject", target + redis + ", minReplicaCount: 2, idleReplicaCount: 2", "spec.idleReplicaCount"},
		{"idle without min", "ScaledObject", target + redis + ", idleReplicaCount: 0", "spec.idleReplicaCount"},
		{"idle below min", "ScaledObject", target + redis + ", minReplicaCount: 2, idleReplicaCount: 1", ""},
		{"cpu cannot wake", "ScaledObject", target + cpu, "spec.triggers"},
		{"cpu cannot wake from a zero that is written", "ScaledObject", target + cpu + ", minReplicaCount: 0", "spec.triggers"},
		{"cpu above zero", "ScaledObject", target + cpu + ", minReplicaCount: 1", ""},
		{"cpu beside another", "ScaledObject", target + "triggers: [{type: cpu, metadata: {}}, {type: cron, metadata: {}}]", ""},
		{"a fallback of cpu", "ScaledObject", target + cpu + ", minReplicaCount: 1, fallback: {failureThreshold: 1, replicas: 1}", "spec.fallback"},
		{"a fallback below zero", "ScaledObject", target + redis + ", fallback: {failureThreshold: -1, replicas: 1}", "spec.fallback.failureThreshold"},
		{"a fallback by a formula that is not there", "ScaledObject", target + redis + ", fallback: {failureThreshold: 1, replicas: 1, behavior: scalingModifiers}", "spec.fallback.behavior"},
		{"a fallback by a formula", "ScaledObject", modifiers(`formula: a, target: "1"`) + ", fallback: {failureThreshold: 1, replicas: 1, behavior: scalingModifiers}", ""},
		{"a formula", "ScaledObject", modifiers(`formula: a, target: "1.5"`), ""},
		{"an empty block", "ScaledObject", modifiers(``), ""},
		{"a target alone", "ScaledObject", modifiers(`target: "1"`), "spec.advanced.scalingModifiers.formula"},
		{"a formula alone", "ScaledObject", modifiers(`formula: a`), "spec.advanced.scalingModifiers.target"},
		{"a target of 0", "ScaledObject", modifiers(`formula: a, target: "0"`), "spec.advanced.scalingModifiers.target"},
		{"a target that is a word", "ScaledObject", modifiers(`formula: a, target: many`), "spec.advanced.scalingModifiers.target"},
		{"a target that is infinite", "ScaledObject", modifiers(`formula: a, target: "Inf"`), "spec.advanced.scalingModifiers.target"},
		{"Utilization of a formula", "ScaledObject", modifiers(`formula: a, target: "1", metricType: Utilization`), "spec.advanced.scalingModifiers.metricType"},
		{"an HPA's name of 64", "ScaledObject", target + redis + ", advanced: {horizontalPodAutoscalerConfig: {name: " + strings.Repeat("n", 64) + "}}", "spec.advanced.horizontalPodAutoscalerConfig.name"},
		{"no triggers", "ScaledObject", target + "triggers: []", "spec.triggers"},
		{"cron that is cached", "ScaledObject", target + "triggers: [{type: cron, useCachedMetrics: true, metadata: {}}]", "spec.triggers[0].useCachedMetrics"},
		{"redis that is cached", "ScaledObject", target + "triggers: [{type: redis, useCachedMetrics: true, metadata: {}}]", ""},
		{"a job on cached memory", "ScaledJob", job + "triggers: [{type: memory, useCachedMetrics: true, metadata: {}}]", "spec.triggers[0].useCachedMetrics"},
		{"an empty client", "TriggerAuthentication", `podIdentity: {provider: azure-workload, identityId: ""}`, "spec.podIdentity.identityId"},
		{"an empty tenant", "ClusterTriggerAuthentication", `podIdentity: {provider: azure-workload, identityTenantId: ""}`, "spec.podIdentity.identityTenantId"},
		{"an authority without a tenant", "TriggerAuthentication", `podIdentity: {provider: azure-workload, identityAuthorityHost: "https://a"}`, "spec.podIdentity.identityTenantId"},
		{"an empty client of another provider", "TriggerAuthentication", `podIdentity: {provider: gcp, identityId: ""}`, ""},
		{"two roles", "TriggerAuthentication", `podIdentity: {provider: aws, roleArn: r, identityOwner: workload}`, "spec.podIdentity.roleArn"},
		{"an external id alone", "ClusterTriggerAuthentication", `podIdentity: {provider: aws, externalID: e}`, "spec.podIdentity.roleArn"},
		{"a role with its external id", "TriggerAuthentication", `podIdentity: {provider: aws, roleArn: r, externalID: e}`, ""},
		{"a grant that is not known", "TriggerAuthentication", `oauth2: {type: password, clientId: a, tokenUrl: "https://a"}`, "spec.oauth2.type"},
		{"a client without id", "TriggerAuthentication", `oauth2: {clientId: "", tokenUrl: "https://a"}`, "spec.oauth2.clientId"},
		{"a token without URL", "TriggerAuthentication", `oauth2: {clientId: a}`, "spec.oauth2.tokenUrl"},
		{"a token of a path", "TriggerAuthentication", `podIdentity: {provider: gcp}, oauth2: {clientId: a, tokenUrl: "/token"}`, "spec.oauth2.tokenUrl"},
		{"a token by FTP", "TriggerAuthentication", `oauth2: {clientId: a, tokenUrl: "ftp://a/token"}`, "spec.oauth2.tokenUrl"},
		{"a token by HTTP", "TriggerAuthentication", `oauth2: {clientId: a, tokenUrl: "http://a:80/token"}`, ""},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			kinds, err := schemas()
			if err != nil {
				t.Fatal(err)
			}
			var fields map[string]any
			text := fmt.Sprintf("{apiVersion: keda.sh/v1alpha1, kind: %s, metadata: {name: a}, spec: {%s}}", tc.kind, tc.spec)
			if err := yaml.Unmarshal([]byte(text), &fields); err != nil {
				t.Fatal(err)
			}
			if fields, err = jsonOf(fields); err != nil {
				t.Fatal(err)
			}
			unknown, shape, rules := kinds[tc.kind].check(fields)
			var got []string
			for _, f := range append(shape, rules...) {
				got = append(got, f.Field)
			}
			if tc.field == "" && len(got) == 0 && len(unknown) == 0 {
				return
			}
			if len(got) != 1 || got[0] != tc.field {
				t.Errorf("refused is %q, and unknown %q: want %q", append(shape, rules...), unknown, tc.field)
			}
		})
	}
}
