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
	s.Deployment("worker", 0)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "redis"}, StringData: map[string]string{"password": wrong}}
	s.Create(secret, &kedav1alpha1.TriggerAuthentication{
		ObjectMeta: metav1.ObjectMeta{Name: "redis"},
		Spec: kedav1alpha1.TriggerAuthenticationSpec{SecretTargetRef: []kedav1alpha1.AuthSecretTargetRef{
			{Parameter: "password", Name: "redis", Key: "password"},
		}},
	})
	s.push(15)
	s.Create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Triggers[0].AuthenticationRef = &kedav1alpha1.AuthenticationRef{Name: "redis"}
		so.Spec.Triggers[0].Metadata["databaseIndx"] = wrong // a key that is not known
	}))
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", "refused the credentials")
	s.ExpectCondition("worker", kedav1alpha1.ConditionWarning, metav1.ConditionTrue, "TriggerParameters", "databaseIndx is not known")
	s.ExpectEvent("worker", "KEDAScalerInfo", "databaseIndx is not known")

	secret.StringData = map[string]string{"password": right}
	s.Must(world.Client.Update(s.Ctx, secret))
	s.ExpectReplicas("worker", 3)
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")

	objects, err := world.Cluster.Kubectl(s.Ctx, "-n", s.Namespace, "get", "events,hpa,deploy,ta", "-o", "yaml")
	s.Must(err)
	status, err := world.Cluster.Kubectl(s.Ctx, "-n", s.Namespace, "get", "so", "-o", "jsonpath={.items[*].status}")
	s.Must(err)
	metrics, err := world.Freshet.Metrics(s.Ctx)
	s.Must(err)
	log, err := world.Freshet.Log()
	s.Must(err)
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
