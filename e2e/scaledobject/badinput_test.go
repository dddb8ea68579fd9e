package scaledobject

import (
	"net"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// What a user got wrong stands on the object, in words that tell what to
// change, and moves no replica.
func TestBadInput(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for _, tt := range []struct {
		name     string
		password string // of the Redis
		edit     func(*kedav1alpha1.ScaledObject)
		reason   string
		event    string
		words    []string
	}{
		{
			name:   "missing target",
			edit:   func(so *kedav1alpha1.ScaledObject) { so.Spec.ScaleTargetRef.Name = "nobody" },
			reason: "ScaledObjectCheckFailed", event: "ScaledObjectCheckFailed",
			words: []string{"nobody", "does not exist"},
		},
		{
			name:   "unknown kind of target",
			edit:   func(so *kedav1alpha1.ScaledObject) { so.Spec.ScaleTargetRef.Kind = "Deploymint" },
			reason: "ScaledObjectCheckFailed", event: "ScaledObjectCheckFailed",
			words: []string{"Deploymint", "correct kind"},
		},
		{
			name:   "unknown trigger type",
			edit:   func(so *kedav1alpha1.ScaledObject) { so.Spec.Triggers[0].Type = "reddis" },
			reason: "ScaledObjectCheckFailed", event: "ScaledObjectCheckFailed",
			words: []string{`"reddis" is not known`, "redis"},
		},
		{
			name:   "missing parameter",
			edit:   func(so *kedav1alpha1.ScaledObject) { delete(so.Spec.Triggers[0].Metadata, "listName") },
			reason: "ScaledObjectCheckFailed", event: "ScaledObjectCheckFailed",
			words: []string{"listName is missing", "metadata listName"},
		},
		{
			name: "several malformed parameters",
			edit: func(so *kedav1alpha1.ScaledObject) {
				so.Spec.Triggers[0].Metadata["listLength"] = "five"
				so.Spec.Triggers[0].Metadata["databaseIndex"] = "x"
			},
			reason: "ScaledObjectCheckFailed", event: "ScaledObjectCheckFailed",
			words: []string{`listLength is "five"`, `databaseIndex is "x"`},
		},
		{
			name: "missing authentication",
			edit: func(so *kedav1alpha1.ScaledObject) {
				so.Spec.Triggers[0].AuthenticationRef = &kedav1alpha1.AuthenticationRef{Name: "nothing"}
			},
			reason: "ScaledObjectCheckFailed", event: "ScaledObjectCheckFailed",
			words: []string{`"nothing"`, "does not exist"},
		},
		{
			name:   "unreachable Redis",
			edit:   func(so *kedav1alpha1.ScaledObject) { so.Spec.Triggers[0].Metadata["address"] = "127.0.0.1:1" },
			reason: "TriggerError", event: "KEDAScalerFailed",
			words: []string{"redis 127.0.0.1:1/0", "refused"},
		},
		{
			name:   "a server that never answers",
			edit:   func(so *kedav1alpha1.ScaledObject) { so.Spec.Triggers[0].Metadata["address"] = silent.Addr().String() },
			reason: "TriggerError", event: "KEDAScalerFailed",
			words: []string{"no answer within 3s"},
		},
		{
			name: "wrong password", password: "right",
			edit:   func(so *kedav1alpha1.ScaledObject) { so.Spec.Triggers[0].Metadata["passwordFromEnv"] = "PASSWORD" },
			reason: "TriggerError", event: "KEDAScalerFailed",
			words: []string{"refused the credentials", "password"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t).withRedis(servers.RedisOptions{Password: tt.password})
			s.Deployment("worker", 2, corev1.EnvVar{Name: "PASSWORD", Value: "wrong-secret"})
			h := s.Record("worker")
			s.Create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
				so.Spec.CooldownPeriod = ptr.To[int32](0)
				tt.edit(so)
			}))
			s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, tt.reason, tt.words...)
			s.ExpectEvent("worker", tt.event, tt.words[0])
			time.Sleep(2 * time.Second)
			s.ExpectHistory(h, 2)
			out, err := world.Cluster.Kubectl(s.Ctx, "-n", s.Namespace, "get", "so,events", "-o", "yaml")
			s.Must(err)
			if strings.Contains(string(out), "wrong-secret") {
				t.Error("a secret stands in the status or in an event")
			}
		})
	}
}

// The second object on one target is told so, and the first goes on.
func TestTwoObjectsOnOneTarget(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.Deployment("worker", 1)
	s.Create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) { so.Spec.MinReplicaCount = ptr.To[int32](1) }))
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	time.Sleep(1100 * time.Millisecond) // creation times count whole seconds
	second := s.scaledObject(func(so *kedav1alpha1.ScaledObject) { so.Name = "another" })
	s.Create(second)
	s.ExpectCondition("another", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "ScaledObjectCheckFailed",
		"already scaled by ScaledObject worker", "delete one of them")
	s.ExpectEvent("another", "ScaledObjectCheckFailed", "already scaled")
	if got := s.Replicas("worker"); got != 1 {
		t.Errorf("it has %d replicas, want 1", got)
	}
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
}

// A trigger that is broken holds the workload where it is, and one beside it
// that works still wakes it.
func TestBrokenTriggerBesideAGoodOne(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.Deployment("worker", 0)
	s.Create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Triggers = append(so.Spec.Triggers, kedav1alpha1.ScaleTriggers{Type: "reddis", Metadata: map[string]string{}})
	}))
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", "reddis")
	s.push(15)
	s.ExpectReplicas("worker", 3)
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionUnknown, "PartialTriggerError", "reddis")
	h := s.Record("worker")
	s.drain()
	time.Sleep(8 * time.Second) // the cooldown and several syncs of the HPA
	s.ExpectHistory(h, 3)
}
