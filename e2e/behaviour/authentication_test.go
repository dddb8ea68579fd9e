package behaviour

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/local"
	"github.com/freshet-io/freshet/e2e/suite"
)

// What an authentication refers to is used anew as soon as it changes, be it a Secret or a
// ConfigMap, and be the authentication of the namespace or of the cluster. It tells who
// uses it, and when nobody does any more.
func TestWhatAuthenticationsReferTo(t *testing.T) {
	t.Parallel()
	for _, cluster := range []bool{false, true} {
		for _, secret := range []bool{false, true} {
			t.Run(fmt.Sprintf("of the cluster %t, in a Secret %t", cluster, secret), func(t *testing.T) {
				t.Parallel()
				s := newScene(t)
				s.fill("orders", 10)
				r := &referrer{scene: s, cluster: cluster, secret: secret}
				r.create()
				trigger := s.list("orders")
				delete(trigger.Metadata, "address")
				trigger.AuthenticationRef = &kedav1alpha1.AuthenticationRef{Name: s.Namespace, Kind: r.kind()}
				s.worker(0, nil, trigger)
				s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", nowhere)
				user := "worker"
				if cluster {
					user = s.Namespace + "/worker"
				}
				r.expectUsers(user)
				r.change()
				s.ExpectReplicas("worker", 2)
				s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
				s.Must(world.Client.Delete(s.Ctx, s.Object("worker")))
				r.expectUsers("")
			})
		}
	}
}

// What a trigger takes from the environment of the target is used anew when that changes,
// or the ConfigMap that it is taken from.
func TestEnvironmentOfTheTarget(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("orders", 10)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "redis"}, Data: map[string]string{"address": nowhere}}
	s.Create(config)
	trigger := s.list("orders")
	delete(trigger.Metadata, "address")
	trigger.Metadata["addressFromEnv"] = "REDIS"
	d := s.Deployment("worker", 0, corev1.EnvVar{Name: "REDIS", ValueFrom: &corev1.EnvVarSource{
		ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "redis"}, Key: "address"},
	}})
	s.Create(s.ScaledObject(trigger))
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", nowhere)
	config.Data["address"] = s.redis.Addr()
	s.Must(world.Client.Update(s.Ctx, config))
	s.ExpectReplicas("worker", 2)
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	suite.Change(s.Scene, "worker", d, func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "REDIS", Value: "127.0.0.1:2"}}
	})
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", "127.0.0.1:2")
	if n := s.Replicas("worker"); n != 2 {
		t.Errorf("%d replicas after a wrong address, want the 2 there were", n)
	}
}

// referrer is an authentication of the scene's name, and what it refers to.
type referrer struct {
	*scene
	cluster, secret bool
	auth, holder    client.Object
}

func (r *referrer) kind() string {
	if r.cluster {
		return kedav1alpha1.KindClusterTriggerAuthentication
	}
	return kedav1alpha1.KindTriggerAuthentication
}

// create makes both, with an address where nothing listens.
func (r *referrer) create() {
	r.Helper()
	meta := metav1.ObjectMeta{Name: r.Namespace, Namespace: r.Namespace}
	if r.cluster {
		meta.Namespace = local.Namespace
	}
	ref := []kedav1alpha1.AuthConfigMapTargetRef{{Parameter: "address", Name: meta.Name, Key: "address"}}
	spec := kedav1alpha1.TriggerAuthenticationSpec{ConfigMapTargetRef: ref}
	r.holder = &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"address": nowhere}}
	if r.secret {
		spec = kedav1alpha1.TriggerAuthenticationSpec{
			SecretTargetRef: []kedav1alpha1.AuthSecretTargetRef{{Parameter: "address", Name: meta.Name, Key: "address"}},
		}
		r.holder = &corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"address": nowhere}}
	}
	r.auth = &kedav1alpha1.TriggerAuthentication{ObjectMeta: meta, Spec: spec}
	if r.cluster {
		r.auth = &kedav1alpha1.ClusterTriggerAuthentication{ObjectMeta: metav1.ObjectMeta{Name: meta.Name}, Spec: spec}
	}
	for _, obj := range []client.Object{r.holder, r.auth} {
		r.Must(world.Client.Create(r.Ctx, obj))
		r.Cleanup(func() { _ = world.Client.Delete(r.Ctx, obj) })
	}
}

// change gives what is referred to the address of the scene's Redis.
func (r *referrer) change() {
	r.Helper()
	switch holder := r.holder.(type) {
	case *corev1.ConfigMap:
		holder.Data["address"] = r.redis.Addr()
	case *corev1.Secret:
		holder.Data = map[string][]byte{"address": []byte(r.redis.Addr())}
	}
	r.Must(world.Client.Update(r.Ctx, r.holder))
}

func (r *referrer) expectUsers(want string) {
	r.Helper()
	r.Eventually(fmt.Sprintf("the users %q", want), func() error {
		r.Must(world.Client.Get(r.Ctx, client.ObjectKeyFromObject(r.auth), r.auth))
		got := ""
		switch auth := r.auth.(type) {
		case *kedav1alpha1.TriggerAuthentication:
			got = auth.Status.ScaledObjectNamesStr
		case *kedav1alpha1.ClusterTriggerAuthentication:
			got = auth.Status.ScaledObjectNamesStr
		}
		if got != want {
			return fmt.Errorf("they are %q", got)
		}
		return nil
	})
}
