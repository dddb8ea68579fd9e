package why_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/why"
	"github.com/freshet-io/freshet/metricsadapter"
)

var update = flag.Bool("update", false, "write the screens that there are")

// now is when the situations are looked at.
var now = time.Date(2030, 1, 2, 14, 0, 0, 0, time.UTC)

// situation is how a test says facts: times are how long ago, and what every
// situation has in common is left out.
type situation struct {
	// Since is of the screen.
	Since metav1.Duration `json:"since"`
	// Object is the ScaledObject; its target and bounds have defaults.
	Object *kedav1alpha1.ScaledObject `json:"object"`
	// DeletedAgo, ActiveAgo, WatchedAgo are times of the facts.
	DeletedAgo metav1.Duration `json:"deletedAgo"`
	ActiveAgo  metav1.Duration `json:"activeAgo"`
	WatchedAgo metav1.Duration `json:"watchedAgo"`
	CreatedAgo metav1.Duration `json:"createdAgo"`
	// Facts are the rest.
	Facts why.Facts `json:"facts"`
	// Triggers are those of the facts, with how they are compared.
	Triggers []trigger `json:"triggers"`
	// NoHPA leaves the HPA out; HPA is laid over the one that the triggers make.
	NoHPA bool                                   `json:"noHPA"`
	HPA   *autoscalingv2.HorizontalPodAutoscaler `json:"hpa"`
	// Asked are recommendations: how many, and until how long ago.
	Asked []struct {
		Replicas int32           `json:"replicas"`
		Ago      metav1.Duration `json:"ago"`
	} `json:"asked"`
	// WriterAgo is when the writer of the target wrote.
	WriterAgo metav1.Duration `json:"writerAgo"`
}

type trigger struct {
	why.Trigger
	Ago    metav1.Duration                `json:"ago"`
	Target float64                        `json:"target"`
	Kind   autoscalingv2.MetricTargetType `json:"kind"`
}

func ago(d metav1.Duration) time.Time {
	if d.Duration == 0 {
		return time.Time{}
	}
	return now.Add(-d.Duration)
}

// facts makes what the program would have found.
func (s *situation) facts() *why.Facts {
	f := &s.Facts
	f.Now, f.Name, f.Namespace = now, "worker", "shop"
	f.Deleted, f.LastActive, f.AskedSince = ago(s.DeletedAgo), ago(s.ActiveAgo), ago(s.WatchedAgo)
	if f.Target.Name == "" {
		f.Target.Kind, f.Target.Name = "Deployment", "worker"
	}
	if f.Target.Writer != nil {
		f.Target.Writer.At = metav1.NewTime(ago(s.WriterAgo))
	}
	for _, a := range s.Asked {
		f.Asked = append(f.Asked, why.Asked{Replicas: a.Replicas, Until: ago(a.Ago)})
	}
	for _, t := range s.Triggers {
		if t.Ago.Duration != 0 {
			t.At, t.Known = ago(t.Ago), true
		}
		if t.Index < 0 {
			f.Formula = &t.Trigger
		} else {
			f.Triggers = append(f.Triggers, t.Trigger)
		}
	}
	if s.Object == nil {
		return f
	}
	s.Object.Name, s.Object.Namespace = "worker", "shop"
	s.Object.CreationTimestamp = metav1.NewTime(now.Add(-24 * time.Hour))
	if s.CreatedAgo.Duration != 0 {
		s.Object.CreationTimestamp = metav1.NewTime(ago(s.CreatedAgo))
	}
	f.Object = s.Object
	if !s.NoHPA {
		f.HPA = s.hpa()
	}
	return f
}

// hpa is what Freshet makes of the object, with what the test says on top.
func (s *situation) hpa() *autoscalingv2.HorizontalPodAutoscaler {
	so := s.Object
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{
			Name: so.HPAName(), Namespace: so.Namespace,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(so, kedav1alpha1.GroupVersion.WithKind("ScaledObject"))},
		},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: new(so.HPAMinReplicas()), MaxReplicas: so.MaxReplicas(), Behavior: so.HPABehavior()},
	}
	if n := s.Facts.Target.Replicas; n != nil {
		hpa.Status.CurrentReplicas, hpa.Status.DesiredReplicas = *n, *n
	}
	for _, t := range s.Triggers {
		if m, ok := t.spec(); ok && (so.ScalingModifiers() == nil || t.Index < 0 || t.Resource) {
			hpa.Spec.Metrics = append(hpa.Spec.Metrics, m)
		}
	}
	if s.HPA != nil {
		lay(hpa, s.HPA)
	}
	return hpa
}

// lay puts over onto hpa what it says.
func lay(hpa, over *autoscalingv2.HorizontalPodAutoscaler) {
	if len(over.OwnerReferences) > 0 {
		hpa.OwnerReferences = over.OwnerReferences
	}
	hpa.ManagedFields = over.ManagedFields
	if over.Spec.MinReplicas != nil {
		hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas = over.Spec.MinReplicas, over.Spec.MaxReplicas
	}
	if over.Spec.Behavior != nil {
		hpa.Spec.Behavior = over.Spec.Behavior
	}
	if len(over.Status.CurrentMetrics) > 0 {
		hpa.Status.CurrentMetrics = over.Status.CurrentMetrics
	}
	hpa.Status.Conditions = over.Status.Conditions
}

func (t *trigger) spec() (autoscalingv2.MetricSpec, bool) {
	q := metricsadapter.Quantity(t.Target)
	switch t.Kind {
	case autoscalingv2.UtilizationMetricType:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
			Name: "cpu", Target: autoscalingv2.MetricTarget{Type: t.Kind, AverageUtilization: new(int32(t.Target))},
		}}, true
	case autoscalingv2.ValueMetricType:
		return external(t.Metric, autoscalingv2.MetricTarget{Type: t.Kind, Value: &q}), true
	case "":
		return autoscalingv2.MetricSpec{}, false
	default:
		return external(t.Metric, autoscalingv2.MetricTarget{Type: t.Kind, AverageValue: &q}), true
	}
}

func external(metric string, target autoscalingv2.MetricTarget) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: metric}, Target: target,
	}}
}

// TestScreens compares the screen of every situation in testdata with the one
// behind its line of dashes.
func TestScreens(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("there are %d situations: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in, want, _ := strings.Cut(string(text), "\n-----\n")
			var s situation
			if err := yaml.UnmarshalStrict([]byte(in), &s); err != nil {
				t.Fatal(err)
			}
			got := why.Screen(why.Explain(s.facts()), s.Since.Duration)
			if *update {
				if err := os.WriteFile(file, []byte(in+"\n-----\n"+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
