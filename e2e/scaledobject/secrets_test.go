package scaledobject

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// A password from a Secret is seen nowhere, be it right or wrong, and whatever
// goes wrong with it; a rotated one is used at once.
func TestSecretsAreSeenNowhere(t *testing.T) {
	t.Parallel()
	const right, wrong = "S3NT1N3L-right", "S3NT1N3L-wrong"
	s := newScene(t).withRedis(servers.RedisOptions{Password: right})
	s.deployment("worker", 0)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "redis"}, StringData: map[string]string{"password": wrong}}
	s.create(secret, &kedav1alpha1.TriggerAuthentication{
		ObjectMeta: metav1.ObjectMeta{Name: "redis"},
		Spec: kedav1alpha1.TriggerAuthenticationSpec{SecretTargetRef: []kedav1alpha1.AuthSecretTargetRef{
			{Parameter: "password", Name: "redis", Key: "password"},
		}},
	})
	s.push(15)
	s.create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Triggers[0].AuthenticationRef = &kedav1alpha1.AuthenticationRef{Name: "redis"}
		so.Spec.Triggers[0].Metadata["databaseIndx"] = wrong // a key that is not known
	}))
	s.expectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", "refused the credentials")
	s.expectCondition("worker", kedav1alpha1.ConditionWarning, metav1.ConditionTrue, "TriggerParameters", "databaseIndx is not known")
	s.expectEvent("worker", "KEDAScalerInfo", "databaseIndx is not known")

	secret.StringData = map[string]string{"password": right}
	s.must(world.client.Update(s.ctx, secret))
	s.expectReplicas("worker", 3)
	s.expectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")

	objects, err := world.cluster.Kubectl(s.ctx, "-n", s.namespace, "get", "events,hpa,deploy,ta", "-o", "yaml")
	s.must(err)
	status, err := world.cluster.Kubectl(s.ctx, "-n", s.namespace, "get", "so", "-o", "jsonpath={.items[*].status}")
	s.must(err)
	metrics, err := world.freshet.Metrics(s.ctx)
	s.must(err)
	log, err := world.freshet.Log()
	s.must(err)
	for place, text := range map[string]string{"objects": string(objects), "status": string(status), "metrics": metrics, "log": log} {
		if text == "" {
			t.Errorf("there is nothing to look at in %s", place)
		}
		for line := range strings.Lines(text) {
			if strings.Contains(line, "S3NT1N3L") && !strings.Contains(line, "last-applied") {
				t.Errorf("the secret can be read in %s: %s", place, line)
			}
		}
	}
}
