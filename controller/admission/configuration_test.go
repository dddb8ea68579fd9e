package admission

import (
	"os"
	"regexp"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"
)

// TestConfiguration: the API server asks about every kind that is reviewed, at its
// path, and a webhook that is down blocks nobody who does not opt in.
func TestConfiguration(t *testing.T) {
	text, err := os.ReadFile("../../config/webhooks/webhooks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config admissionregistrationv1.ValidatingWebhookConfiguration
	if err := yaml.UnmarshalStrict(text, &config); err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, w := range config.Webhooks {
		if w.FailurePolicy == nil || *w.FailurePolicy != admissionregistrationv1.Ignore {
			t.Errorf("%s has the failurePolicy %v", w.Name, w.FailurePolicy)
		}
		if w.TimeoutSeconds == nil || float64(*w.TimeoutSeconds) <= limit.Seconds() {
			t.Errorf("%s gives up after %v s, before a review does", w.Name, w.TimeoutSeconds)
		}
		for _, rule := range w.Rules {
			for _, resource := range rule.Resources {
				asked[resource+" at "+*w.ClientConfig.Service.Path] = true
			}
		}
	}
	for name, k := range kinds {
		if want := strings.ToLower(name) + "s at " + k.path; !asked[want] {
			t.Errorf("nobody asks about %s", want)
		}
	}
	if len(asked) != len(kinds) {
		t.Errorf("asked about are %v, and %d kinds are reviewed", asked, len(kinds))
	}
}

// TestEveryCheckIsTested walks KEDA's checks by their numbers: each has a case here and
// one in the end-to-end tests, where the API server refuses the object.
//
//	1  another ScaledObject on the target        11 idleReplicaCount at or above the minimum
//	2  another ScaledObject with the HPA's name  12 a fallback below 0, or of cpu and memory alone
//	3  a formula that cannot be used             13 a name of more than 63 characters
//	4  a formula's target and metricType         14 an HPA's name of more than 63 characters
//	5  a fallback by a formula that is missing   15 no triggers, equal names, cached cpu, memory, cron
//	6  cpu and memory without requests           16 azure-workload that lacks a part
//	7  only cpu and memory, from zero            17 aws with a role and the workload's identity
//	8  an HPA of somebody else's                 18 aws with an external id without a role
//	9  a transfer that names no HPA              19 oauth2 that lacks a part
//	10 a minimum above the maximum
//
// Its two warnings are in TestWarnings, here and there. 20 and 21 are of CloudEventSources, which are not served. 22, the rules of the
// definitions, are held to those of the code in package manifests.
func TestEveryCheckIsTested(t *testing.T) {
	const last = 19
	for _, file := range []string{"admission_test.go", "../../e2e/admission/checks_test.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tested := map[string]bool{}
		for _, m := range regexp.MustCompile(`\{(?:check: )?"(\d+): `).FindAllStringSubmatch(string(text), -1) {
			tested[m[1]] = true
		}
		if len(tested) != last {
			t.Errorf("%s tests the checks %v, want all up to %d", file, tested, last)
		}
	}
}
