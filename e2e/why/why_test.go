package why

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/utils/ptr"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
)

// TestWhoMayAsk: a user who may read the ScaledObjects of one namespace is answered
// there, and Forbidden elsewhere; one who may not is Forbidden everywhere.
func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	s, other := newScene(t), newScene(t)
	for _, s := range []*scene{s, other} {
		s.Deployment("worker", 0)
		s.Create(s.ScaledObject(s.orders()))
	}
	reader := s.reader("reader", readObjects)
	stranger := s.reader("stranger", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "list"}})
	s.expect("an explanation", reader, func(e *whyv1alpha1.Explanation) error {
		if e.Object.State != whyv1alpha1.StateIdle {
			return fmt.Errorf("its state is %s: %+v", e.Object.State, e.Verdict)
		}
		return nil
	})
	screen, err := s.run(reader, "explain", "worker", "-n", s.Namespace)
	s.Must(err)
	for _, word := range []string{s.Namespace + "/worker", "Deployment worker", "s0-redis-orders", "No trigger is active", "WHY NOT MORE"} {
		if !strings.Contains(screen, word) {
			t.Errorf("the screen lacks %q:\n%s", word, screen)
		}
	}
	table, err := s.run(reader, "top", "-n", s.Namespace, "--once")
	s.Must(err)
	if !strings.Contains(table, "worker") || strings.Contains(table, other.Namespace) {
		t.Errorf("the table is:\n%s", table)
	}
	for _, call := range []struct {
		who, kubeconfig string
		args            []string
	}{
		{"reader", reader, []string{"explain", other.Namespace + "/worker"}},
		{"reader", reader, []string{"explain", other.Namespace + "/nothing"}},
		{"reader", reader, []string{"top", "--once", "-n", other.Namespace}},
		{"reader", reader, []string{"top", "--once", "-A"}},
		{"stranger", stranger, []string{"explain", s.Namespace + "/worker"}},
		{"stranger", stranger, []string{"top", "--once", "-n", s.Namespace}},
	} {
		out, err := s.run(call.kubeconfig, call.args...)
		if err == nil || !strings.Contains(err.Error(), "forbidden") {
			t.Errorf("%s: %v is answered with %q, %v; want Forbidden", call.who, call.args, out, err)
		}
		if strings.Contains(out, "worker") {
			t.Errorf("%s: %v shows %q", call.who, call.args, out)
		}
	}
	if _, err := s.run(reader, "explain", s.Namespace+"/nothing"); err == nil || !strings.Contains(err.Error(), "there is no ScaledObject") {
		t.Errorf("an object that is not there is explained by: %v", err)
	}
}

// TestAsPlugin: kubectl finds the program under its other name, and shows
// explanations as those of any resource.
func TestAsPlugin(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Deployment("worker", 0)
	s.Create(s.ScaledObject(s.orders()))
	dir := t.TempDir()
	program, err := filepath.Abs(world.Program)
	s.Must(err)
	s.Must(os.Symlink(program, filepath.Join(dir, "kubectl-freshet")))
	kubectl, err := filepath.Abs(world.Cluster.KubectlPath())
	s.Must(err)
	s.Must(os.Symlink(kubectl, filepath.Join(dir, "kubectl")))
	s.Eventually("an answer to kubectl freshet", func() error {
		out, err := s.command(world.Cluster.Kubeconfig(), filepath.Join(dir, "kubectl"), "freshet", "explain", s.Namespace+"/worker")
		if err == nil && !strings.Contains(out, "NOW") {
			err = fmt.Errorf("it is %s", out)
		}
		return err
	})
	out, err := s.command(world.Cluster.Kubeconfig(), filepath.Join(dir, "kubectl"), "get", "explanations.why.freshet.io", "-n", s.Namespace)
	s.Must(err)
	if !strings.Contains(out, "WANTED") || !strings.Contains(out, "worker") {
		t.Errorf("kubectl get shows:\n%s", out)
	}
}

// TestScaleUp: while a workload goes from zero up and is deleted, what is told of it
// is what happened, step by step, and stays told.
func TestScaleUp(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Deployment("worker", 0)
	so := s.ScaledObject(s.orders())
	so.Spec.MaxReplicaCount = ptr.To[int32](20)
	so.Spec.Advanced.HorizontalPodAutoscalerConfig.Behavior.ScaleUp = &autoscalingv2.HPAScalingRules{
		Policies: []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PodsScalingPolicy, Value: 3, PeriodSeconds: 15}},
	}
	history := s.Record("worker")
	s.Create(so)
	reader := s.reader("reader", readObjects)
	s.HPA("keda-hpa-worker")
	s.fill(7)
	s.ExpectReplicas("worker", 2)
	s.fill(40)
	held := s.expect("being held by the policy", reader, func(e *whyv1alpha1.Explanation) error {
		if h := e.HPA; h == nil || h.Expected == nil || *h.Expected != 5 || e.Target.Replicas == nil || *e.Target.Replicas != 5 {
			return fmt.Errorf("it is %+v of %+v", e.HPA, e.Target)
		}
		return nil
	})
	if held.Object.State != whyv1alpha1.StateHeld || len(held.HPA.Later) == 0 || held.HPA.Later[0].Replicas != 8 ||
		len(held.Verdict.NotMore) == 0 || !strings.Contains(held.Verdict.NotMore[0], "policy allows 3 pods in 15 s") {
		t.Errorf("while the policy holds it is told: %+v, later %+v", held.Verdict, held.HPA.Later)
	}
	if r := held.Readings; len(r) != 1 || r[0].Value == nil || *r[0].Value != 40 || r[0].Asks == nil || *r[0].Asks != 8 || !r[0].Active {
		t.Errorf("the readings are %+v", r)
	}
	if w := held.Target.Writer; w == nil || w.Who != whyv1alpha1.MakerHPA {
		t.Errorf("the replicas were written by %+v, want the HPA", w)
	}
	s.ExpectReplicas("worker", 8)
	done := s.expect("all that was done", reader, func(e *whyv1alpha1.Explanation) error {
		if got := path(e.Decisions); !slices.Equal(got, history.All()) {
			return fmt.Errorf("it went through %v, and is told to have gone through %v", history.All(), got)
		}
		return nil
	})
	for i := range done.Decisions {
		if d := &done.Decisions[i]; d.From != d.To && (len(d.Inputs) != 1 || d.Inputs[0].Value == nil || d.Why == "" || strings.Contains(d.Why, "by what is known here")) {
			t.Errorf("of %d → %d is told: %+v", d.From, d.To, d)
		}
	}
	s.Must(world.Client.Delete(s.Ctx, so))
	gone := s.expect("the end", reader, func(e *whyv1alpha1.Explanation) error {
		if e.Object.State != whyv1alpha1.StateDeleted {
			return fmt.Errorf("its state is %s", e.Object.State)
		}
		return nil
	})
	if len(gone.Decisions) < len(done.Decisions) {
		t.Errorf("after the end %d decisions are told, before %d", len(gone.Decisions), len(done.Decisions))
	}
	if out, err := s.run(reader, "top", "--once", "-n", s.Namespace); err != nil || !strings.Contains(out, "Deleted") {
		t.Errorf("top shows %q, %v", out, err)
	}
}

// path are the replicas that decisions went through, the newest first.
func path(decisions []whyv1alpha1.Decision) []int32 {
	var all []int32
	for i := len(decisions) - 1; i >= 0; i-- {
		d := &decisions[i]
		if d.From == d.To {
			continue
		}
		if len(all) == 0 {
			all = append(all, d.From)
		}
		all = append(all, d.To)
	}
	return all
}

// TestSomebodyElse: who scales the workload by hand is named.
func TestSomebodyElse(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Deployment("worker", 1)
	so := s.ScaledObject(s.orders())
	so.Spec.MinReplicaCount = ptr.To[int32](1)
	s.Create(so)
	reader := s.reader("reader", readObjects)
	s.expect("scaling", reader, func(e *whyv1alpha1.Explanation) error {
		if e.HPA == nil || e.HPA.Expected == nil {
			return fmt.Errorf("the HPA is %+v", e.HPA)
		}
		return nil
	})
	time.Sleep(time.Second) // managed fields have seconds, and the object must be older than the write
	_, err := world.Cluster.Kubectl(s.Ctx, "-n", s.Namespace, "annotate", "so", "worker", kedav1alpha1.AnnotationPausedScaleIn+"=true")
	s.Must(err)
	_, err = world.Cluster.Kubectl(s.Ctx, "-n", s.Namespace, "scale", "deployment", "worker", "--replicas=3")
	s.Must(err)
	s.expect("the name of who scaled", reader, func(e *whyv1alpha1.Explanation) error {
		if w := e.Target.Writer; w == nil || w.Who != whyv1alpha1.MakerOther || !strings.Contains(w.Manager, "kubectl") {
			return fmt.Errorf("it is %+v", w)
		}
		if len(e.Verdict.Suspect) == 0 || !strings.Contains(e.Verdict.Suspect[0], "neither Freshet nor the HPA") {
			return fmt.Errorf("of %+v it is told: %+v", e.Target.Writer, e.Verdict)
		}
		return nil
	})
}
