package scaledobject

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/checks"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	_ "github.com/freshet-io/freshet/scalers/all"
)

// admittedSpecs are specs that admission lets pass, each another way to be scaled.
var admittedSpecs = []string{
	`{"triggers":[{"type":"tray","metadata":{"name":"a"}}]}`,
	`{"minReplicaCount":2,"idleReplicaCount":1,"triggers":[{"type":"tray","name":"a","metadata":{"name":"a","sheets":"0.1"}},{"type":"redis","metadata":{"address":"a:1","listName":"b"}}],"fallback":{"failureThreshold":1,"replicas":4,"behavior":"currentReplicasIfHigher"}}`,
	`{"advanced":{"scalingModifiers":{"formula":"a == nil ? 1 : a / b","target":"2","activationTarget":"1","metricType":"Value"}},"fallback":{"failureThreshold":0,"replicas":3,"behavior":"scalingModifiers"},"triggers":[{"type":"tray","name":"a","metadata":{"name":"a"}},{"type":"tray","name":"b","metadata":{"name":"b"}}]}`,
	`{"minReplicaCount":1,"triggers":[{"type":"cpu","metricType":"Utilization","metadata":{"value":"50","containerName":"app"}},{"type":"memory","metricType":"AverageValue","metadata":{"value":"1Gi"}}]}`,
	`{"cooldownPeriod":0,"initialCooldownPeriod":5,"triggers":[{"type":"cron","metadata":{"timezone":"UTC","start":"0 6 * * *","end":"0 8 * * *","desiredReplicas":"2"}}],"advanced":{"restoreToOriginalReplicaCount":true,"horizontalPodAutoscalerConfig":{"behavior":{"scaleUp":{"selectPolicy":"Min","policies":[{"type":"Percent","value":100,"periodSeconds":15}]}}}}}`,
	`{"triggers":[{"type":"external","metadata":{"scalerAddress":"a:1","x":"y"}},{"type":"kafka","metricType":"Value","metadata":{"bootstrapServers":"a:1","consumerGroup":"g","lagThreshold":"9223372036854775807"},"authenticationRef":{"name":"b"}}]}`,
}

// admitted tells what is wrong with an object of that spec; nothing when admission
// lets it pass.
func admitted(so *kedav1alpha1.ScaledObject) []checks.Finding {
	nobody := checks.Around{Given: func(*kedav1alpha1.AuthenticationRef) *checks.Given { return nil }, Absent: "does not exist yet"}
	return checks.ScaledObject(so, nobody).Faults
}

// TestAdmittedSpecs: what fuzzing begins with is not turned away.
func TestAdmittedSpecs(t *testing.T) {
	for _, spec := range admittedSpecs {
		so := newObject("orders")
		so.Spec = kedav1alpha1.ScaledObjectSpec{ScaleTargetRef: so.Spec.ScaleTargetRef}
		if err := json.Unmarshal([]byte(spec), &so.Spec); err != nil {
			t.Fatal(err)
		}
		if faults := admitted(so); len(faults) > 0 {
			t.Errorf("%s is turned away: %v", spec, faults)
		}
	}
}

// FuzzAdmitted takes objects that admission lets pass through all that is made of
// them: defaults, decoders, the HPA, the fallback, the formula and the decision, with
// readings of every kind, and the way out. Nothing panics, no count below zero is
// written, and the HPA is one that the API server takes.
func FuzzAdmitted(f *testing.F) {
	for _, spec := range admittedSpecs {
		f.Add([]byte(spec), "autoscaling.keda.sh/paused-scale-in", "true", []byte{1, 2, 3, 250, 7, 0, 9})
		f.Add([]byte(spec), "autoscaling.keda.sh/paused-replicas", "2", []byte{255, 255, 254, 128, 64, 32})
	}
	f.Fuzz(func(t *testing.T, spec []byte, key, value string, readings []byte) {
		so := newObject("orders", withAnnotation(key, value))
		so.Spec = kedav1alpha1.ScaledObjectSpec{}
		if json.Unmarshal(spec, &so.Spec) != nil {
			return
		}
		so.Spec.ScaleTargetRef = kedav1alpha1.ScaleTarget{Name: "orders"}
		if len(admitted(so)) > 0 {
			return
		}
		w := newWorld(t, newDeployment("orders", int32(at(readings, 0)%4)), so)
		for i := range 4 {
			w.liveOn(i)
			w.expectSound()
			for j, slot := range w.r.Store.Object(Key(types.NamespacedName{Namespace: "shop", Name: "orders"})) {
				putAny(slot, readings, 1+3*(i*4+j))
			}
		}
		if err := w.client.Delete(t.Context(), so); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			w.liveOn(i)
		}
	})
}

// at is the byte at a place that goes round; 0 where there are none.
func at(raw []byte, place int) byte {
	if len(raw) == 0 {
		return 0
	}
	return raw[place%len(raw)]
}

// putAny puts a reading of any kind: errors of each class, and numbers of which some
// are none.
func putAny(slot *store.Slot, raw []byte, place int) {
	kind, number := at(raw, place), float64(int8(at(raw, place+1)))*math.Pow(10, float64(int8(at(raw, place+2))))
	r := scalers.Reading{Value: scalers.Number(number), Active: kind&1 == 1, At: time.Now()}
	switch kind % 7 {
	case 2:
		r.Value.Metric = math.NaN()
	case 3:
		r.Value.Metric = math.Inf(int(int8(kind)))
	case 4:
		r.Err, r.Active = scalers.ConfigurationError("wrong"), false
	case 5:
		r.Err, r.Active = errors.New("no answer"), false
	case 6:
		r.Value.Series = []scalers.Series{{Name: "a", Value: number, Target: number}, {Name: "b", Value: 1, Target: -1}}
	}
	slot.Put(r)
}

// liveOn reconciles. An error may come of the world, but of no panic that was caught.
func (w *world) liveOn(round int) {
	w.Helper()
	_, err := w.r.Reconcile(w.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "orders"}})
	if err != nil && strings.Contains(err.Error(), "panic") {
		w.Errorf("round %d: %v", round, err)
	}
}

// expectSound holds what was written to what the API server takes.
func (w *world) expectSound() {
	w.Helper()
	for _, n := range w.scales.written {
		if n < 0 {
			w.Errorf("the target was asked to have %d replicas", n)
		}
	}
	if hpa := w.hpa("keda-hpa-orders"); hpa != nil {
		if minimum := hpa.Spec.MinReplicas; hpa.Spec.MaxReplicas < 1 || minimum != nil && (*minimum < 1 || *minimum > hpa.Spec.MaxReplicas) {
			w.Errorf("the HPA has a minimum of %v and a maximum of %d", minimum, hpa.Spec.MaxReplicas)
		}
		for i := range hpa.Spec.Metrics {
			if m := hpa.Spec.Metrics[i].External; m != nil {
				if (m.Target.AverageValue == nil) == (m.Target.Value == nil) {
					w.Errorf("metric %s has the targets %v and %v", m.Metric.Name, m.Target.AverageValue, m.Target.Value)
				}
			}
		}
	}
	if so := w.object("orders"); so != nil {
		for _, c := range so.Status.Conditions {
			if strings.Contains(c.Message, "panic") {
				w.Errorf("the object says: %s", c.Message)
			}
		}
	}
}
