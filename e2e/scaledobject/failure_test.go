package scaledobject

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func splitLines(text string) iter.Seq[string] { return strings.SplitSeq(strings.TrimSpace(text), "\n") }

// A restart of Freshet in the middle of work, by a crash and in order, changes
// no replicas. It is not parallel: the others want Freshet to run.
func TestRestartChangesNothing(t *testing.T) {
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.push(20)
	s.Deployment("worker", 0)
	s.Create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) { so.Spec.CooldownPeriod = ptr.To[int32](8) }))
	s.ExpectReplicas("worker", 4)
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionTrue, "ScalerActive")
	h := s.Record("worker")

	s.Must(world.Freshet.Kill())
	time.Sleep(5 * time.Second) // the HPA syncs twice without an adapter
	s.Must(world.Freshet.Start(s.Ctx))
	time.Sleep(5 * time.Second) // and then with one
	s.Must(world.Freshet.Stop())
	s.Must(world.Freshet.Start(s.Ctx))
	time.Sleep(5 * time.Second)
	s.ExpectHistory(h, 4)

	// The backlog ends while Freshet is away: the cooldown begins when it is back.
	s.Must(world.Freshet.Kill())
	s.drain()
	time.Sleep(3 * time.Second)
	began := time.Now()
	s.Must(world.Freshet.Start(s.Ctx))
	s.Eventually("the end of work", func() error {
		if s.Replicas("worker") != 0 {
			return errors.New("still up")
		}
		return nil
	})
	if took := time.Since(began); took < 7*time.Second {
		t.Errorf("zero after %s: the cooldown of 8 s did not begin anew", took)
	}
}

// A Redis that is gone for a minute loses no replica, the HPA holds, and all
// recovers by itself.
func TestRedisGoneForAMinute(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.push(20)
	s.Deployment("worker", 0)
	s.Create(s.scaledObject(nil))
	s.ExpectReplicas("worker", 4)
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	h := s.Record("worker")

	s.Must(s.redis.Kill())
	gone := time.Now()
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", "redis "+s.redis.Addr())
	s.ExpectEvent("worker", "KEDAScalerFailed", "redis")
	s.ExpectCondition("worker", kedav1alpha1.ConditionHPAActive, metav1.ConditionFalse, "FailedGetExternalMetric")
	_, err := world.Cluster.Kubectl(s.Ctx, "get", "--raw", "/apis/external.metrics.k8s.io/v1beta1/namespaces/"+s.Namespace+
		"/s0-redis-orders?labelSelector=scaledobject.keda.sh%2Fname%3Dworker")
	if err == nil || !strings.Contains(err.Error(), "has no value") {
		t.Errorf("the adapter must answer with an error, got %v", err)
	}
	time.Sleep(time.Minute - time.Since(gone))
	s.ExpectHistory(h, 4)

	s.Must(s.redis.Start(s.Ctx))
	back := time.Now()
	s.push(30) // what was queued is lost with the server; producers go on
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	s.ExpectReplicas("worker", 6)
	t.Logf("recovered %s after the server was back", time.Since(back).Round(100*time.Millisecond))
	if slices.Contains(h.All(), 0) {
		t.Errorf("replicas went through %v", h.All())
	}
}

// A password that is rotated is used without a restart.
func TestRotatedPassword(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{Password: "first-secret"})
	s.Deployment("worker", 0)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "redis"}, StringData: map[string]string{"password": "first-secret"}}
	s.Create(secret, &kedav1alpha1.TriggerAuthentication{
		ObjectMeta: metav1.ObjectMeta{Name: "redis"},
		Spec: kedav1alpha1.TriggerAuthenticationSpec{SecretTargetRef: []kedav1alpha1.AuthSecretTargetRef{
			{Parameter: "password", Name: "redis", Key: "password"},
		}},
	}, s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Triggers[0].AuthenticationRef = &kedav1alpha1.AuthenticationRef{Name: "redis"}
	}))
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")

	old := s.client()
	s.Must(old.ConfigSet(s.Ctx, "requirepass", "second-secret").Err())
	before := secret.DeepCopy()
	secret.Data = map[string][]byte{"password": []byte("second-secret")}
	s.Must(world.Client.Patch(s.Ctx, secret, client.MergeFrom(before)))
	// An open connection stays logged in: what counts is that a new one works.
	s.Must(old.Do(s.Ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err())
	s.Must(old.RPush(s.Ctx, "orders", 1, 2, 3).Err())
	s.ExpectReplicas("worker", 1)
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
}
