package kube_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/freshet-io/freshet/scalers"
)

// pod is one in the namespace shop, of that phase on that node.
func pod(name, app, node string, phase corev1.PodPhase) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{Phase: phase},
	}
}

// at is a setting in the namespace shop of a cluster.
func at(cluster client.Reader) scalers.Setting {
	return scalers.Setting{Object: scalers.ObjectRef{Kind: "ScaledObject", Namespace: "shop", Name: "worker"}, Cluster: cluster}
}

// read reads triggers that share a source with one connection.
func read(ctx context.Context, t testing.TB, batch ...*scalers.Scaler) ([]scalers.Result, error) {
	t.Helper()
	conn, err := batch[0].Source.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	out := make([]scalers.Result, len(batch))
	return out, scalers.Read(ctx, conn, batch, out)
}

// lists is a reader that counts its lists.
type lists struct {
	client.Reader
	n int
}

func (l *lists) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	l.n++
	return l.Reader.List(ctx, list, opts...)
}

func TestWorkload(t *testing.T) {
	ending := pod("ending", "orders", "a", corev1.PodRunning)
	ending.DeletionTimestamp, ending.Finalizers = new(metav1.Now()), []string{"test"}
	elsewhere := pod("elsewhere", "orders", "a", corev1.PodRunning)
	elsewhere.Namespace = "lab"
	cluster := &lists{Reader: fake.NewClientBuilder().WithObjects(
		pod("running", "orders", "a", corev1.PodRunning), pod("unscheduled", "orders", "", corev1.PodPending), pod("pulling", "orders", "b", corev1.PodPending),
		pod("unknown", "orders", "b", corev1.PodUnknown), pod("new", "orders", "", ""), ending, elsewhere,
		pod("succeeded", "orders", "c", corev1.PodSucceeded), pod("failed", "orders", "d", corev1.PodFailed),
		pod("other", "returns", "e", corev1.PodRunning),
	).Build()}
	for _, tc := range []struct {
		reason, selector string
		byNode           string
		want             float64
	}{
		{"those that have not ended count", "app=orders", "", 6},
		{"nodes count once, and those of ended pods do not", "app=orders", "true", 2},
		{"selected by a set", "app in (orders, returns)", "", 7},
		{"selected by what they are not", "app!=orders", "", 1},
		{"selected by having a label", "app", "false", 7},
		{"nodes of several workloads", "app in (orders, returns)", "true", 3},
		{"none is 0", "app=nothing", "", 0},
		{"none has no node", "app=nothing", "true", 0},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			s := decode(t, "kubernetes-workload", m{"podSelector": tc.selector, "value": "2", "activationValue": "1", "groupByNode": tc.byNode}, at(cluster))
			out, err := read(t.Context(), t, s, s)
			if err != nil || out[0].Err != nil || !reflect.DeepEqual(out[0].Value, scalers.Number(tc.want)) {
				t.Errorf("got %+v, %v; want %v", out[0], err, tc.want)
			}
		})
	}
}

// TestWorkloadsShareLists: the pods of a namespace are listed once for all.
func TestWorkloadsShareLists(t *testing.T) {
	cluster := &lists{Reader: fake.NewClientBuilder().WithObjects(pod("a", "orders", "a", corev1.PodRunning), pod("b", "returns", "a", corev1.PodRunning)).Build()}
	var batch []*scalers.Scaler
	for i := range 100 {
		batch = append(batch, decode(t, "kubernetes-workload", m{
			"podSelector": []string{"app=orders", "app=returns", "app"}[i%3], "value": fmt.Sprint(i + 1), "groupByNode": fmt.Sprint(i%2 == 0),
		}, at(cluster)))
	}
	out, err := read(t.Context(), t, batch...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range out {
		want := []float64{1, 1, 2}[i%3]
		if i%2 == 0 {
			want = 1
		}
		if r.Err != nil || r.Value.Metric != want {
			t.Errorf("trigger %d reads %+v, want %v", i, r, want)
		}
	}
	if cluster.n != 1 {
		t.Errorf("%d lists of one namespace", cluster.n)
	}
	elsewhere := at(cluster)
	elsewhere.Object.Namespace = "lab"
	a := decode(t, "kubernetes-workload", m{"podSelector": "app", "value": "1"}, elsewhere)
	if a.Source.Fingerprint == batch[0].Source.Fingerprint {
		t.Error("namespaces share what may fail in one of them")
	}
	if batch[0].Query != decode(t, "kubernetes-workload", m{"podSelector": "app=orders", "value": "9", "groupByNode": "true"}, at(cluster)).Query {
		t.Error("another target is another read")
	}
}

func TestWorkloadNames(t *testing.T) {
	s := decode(t, "kubernetes-workload", m{"podSelector": "app=orders", "value": "2.5", "activationValue": "3"}, at(nil))
	if s.Stem != "workload-shop" || s.Target != 2.5 || s.Activation != 3 || s.Source.Name != "the pods of namespace shop" {
		t.Errorf("got %s, %v, %v, %s", s.Stem, s.Target, s.Activation, s.Source.Name)
	}
	formula := at(nil)
	formula.Formula = true
	if s := decode(t, "kubernetes-workload", m{"podSelector": "app=orders"}, formula); s.Target != 0 {
		t.Errorf("with a formula the target is %v", s.Target)
	}
}

func TestWorkloadFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		with  m
		names []string
	}{
		"nothing":            {m{"podSelector": "", "value": ""}, []string{"podSelector is missing", "value is missing"}},
		"no selector":        {m{"podSelector": "app in orders"}, []string{`podSelector is "app in orders"`}},
		"a bad label":        {m{"podSelector": "app=a b"}, []string{"podSelector"}},
		"no target":          {m{"value": "0"}, []string{"value is 0"}},
		"less than none":     {m{"value": "-1"}, []string{"value is -1"}},
		"text":               {m{"value": "two", "activationValue": "one"}, []string{`value is "two"`, `activationValue is "one"`}},
		"neither true nor …": {m{"groupByNode": "maybe"}, []string{"groupByNode"}},
	} {
		t.Run(name, func(t *testing.T) {
			expectFault(t, "kubernetes-workload", m{"podSelector": "app=orders", "value": "2"}, tc.with, at(nil), tc.names)
		})
	}
}

// TestClusterErrors: what the cache and the API server may say, and what the user
// is told.
func TestClusterErrors(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for name, tc := range map[string]struct {
		err   error
		class scalers.Class
		names []string
	}{
		"forbidden":        {apierrors.NewForbidden(pods, "", errors.New("no right")), scalers.Authentication, []string{"give its ServiceAccount the right", "no right"}},
		"unauthorized":     {apierrors.NewUnauthorized("who"), scalers.Authentication, []string{"ServiceAccount"}},
		"not synced":       {apierrors.NewTimeoutError("failed waiting", 0), scalers.Unavailable, []string{"not known yet", "ServiceAccount"}},
		"not started":      {&cache.ErrCacheNotStarted{}, scalers.Unavailable, []string{"not known yet"}},
		"another":          {errors.New("no answer"), scalers.Unavailable, []string{"no answer"}},
		"not looked into":  {errors.New("unable: because of unknown namespace for the cache"), scalers.Configuration, []string{"restricted"}},
		"server is down":   {apierrors.NewInternalError(errors.New("etcd")), scalers.Unavailable, []string{"etcd"}},
		"too many at once": {apierrors.NewTooManyRequestsError("later"), scalers.Unavailable, []string{"later"}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
				List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return tc.err },
				Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
					return tc.err
				},
			}).Build()
			for typ, metadata := range map[string]m{
				"kubernetes-workload": {"podSelector": "app", "value": "1"},
				"kubernetes-resource": {"resourceKind": "Secret", "resourceName": "backlog", "key": "n", "targetValue": "1"},
			} {
				out, err := read(t.Context(), t, decode(t, typ, metadata, at(cluster)))
				if err == nil {
					err = out[0].Err
				}
				if err == nil || scalers.ClassOf(err) != tc.class {
					t.Fatalf("%s: got %+v, %v; want an error of class %s", typ, out, err, tc.class)
				}
				for _, part := range tc.names {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%s: the error lacks %q: %v", typ, part, err)
					}
				}
			}
		})
	}
	s := decode(t, "kubernetes-workload", m{"podSelector": "app", "value": "1"}, at(nil))
	if _, err := s.Source.Open(t.Context()); err == nil || scalers.ClassOf(err) != scalers.Unavailable {
		t.Errorf("without a cluster: %v", err)
	}
}
