package admission

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/scaledobject"
)

// cached is a validator that answers from a real cache, of an API server that counts
// who asks it.
type cached struct {
	*Validator
	calls atomic.Int64
}

// newCached fills a cache with n ScaledObjects of one namespace, each on a Deployment
// with an HPA.
func newCached(t testing.TB, n int) *cached {
	t.Helper()
	c := &cached{}
	lists := manyObjects(n)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		switch list, ok := lists[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]; {
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		case r.URL.Query().Get("sendInitialEvents") != "": // the cache then lists
			w.WriteHeader(http.StatusUnprocessableEntity)
			_ = json.NewEncoder(w).Encode(metav1.Status{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity,
			})
		case r.URL.Query().Get("watch") != "": // nothing changes
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		default:
			_ = json.NewEncoder(w).Encode(list)
		}
	}))
	reader, err := cache.New(&rest.Config{Host: server.URL}, cache.Options{Scheme: newScheme(t), Mapper: newMapper(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := addIndexes(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	if err := reader.IndexField(t.Context(), &kedav1alpha1.ScaledObject{}, scaledobject.TargetIndex, byTarget); err != nil {
		t.Fatal(err)
	}
	for _, obj := range watchedKinds {
		if _, err := reader.GetInformer(t.Context(), obj, cache.BlockUntilSynced(false)); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- reader.Start(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
		server.CloseClientConnections()
		server.Close()
	})
	if !reader.WaitForCacheSync(t.Context()) {
		t.Fatal("the cache is not filled")
	}
	c.Validator = &Validator{Reader: reader}
	return c
}

// watchedKinds are what Freshet watches that a review may look at.
var watchedKinds = []client.Object{
	&kedav1alpha1.ScaledObject{}, &kedav1alpha1.TriggerAuthentication{}, &kedav1alpha1.ClusterTriggerAuthentication{},
	&autoscalingv2.HorizontalPodAutoscaler{}, &appsv1.Deployment{}, &appsv1.StatefulSet{}, &corev1.LimitRange{},
}

func newMapper(t testing.TB) meta.RESTMapper {
	t.Helper()
	mapper, scheme := meta.NewDefaultRESTMapper(nil), newScheme(t)
	for _, obj := range watchedKinds {
		gvks, _, err := scheme.ObjectKinds(obj)
		if err != nil {
			t.Fatal(err)
		}
		scope := meta.RESTScopeNamespace
		if gvks[0].Kind == kedav1alpha1.KindClusterTriggerAuthentication {
			scope = meta.RESTScopeRoot
		}
		mapper.Add(gvks[0], scope)
	}
	return mapper
}

// manyObjects are the lists of the API server, by resource.
func manyObjects(n int) map[string]runtime.Object {
	type meta = metav1.ObjectMeta
	objects := &kedav1alpha1.ScaledObjectList{TypeMeta: metav1.TypeMeta{APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObjectList"}}
	hpas := &autoscalingv2.HorizontalPodAutoscalerList{TypeMeta: metav1.TypeMeta{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscalerList"}}
	deployments := &appsv1.DeploymentList{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DeploymentList"}}
	for i := range n {
		name := fmt.Sprintf("worker-%d", i)
		objects.Items = append(objects.Items, kedav1alpha1.ScaledObject{
			ObjectMeta: meta{Namespace: "shop", Name: name, ResourceVersion: "1"},
			Spec:       kedav1alpha1.ScaledObjectSpec{ScaleTargetRef: kedav1alpha1.ScaleTarget{Name: name}},
		})
		hpa := autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta{Namespace: "shop", Name: "keda-hpa-" + name, ResourceVersion: "1", OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "keda.sh/v1alpha1", Kind: kedav1alpha1.KindScaledObject, Name: name, UID: "1", Controller: new(true)},
		}}}
		hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name}
		hpas.Items = append(hpas.Items, hpa)
		deployment := appsv1.Deployment{ObjectMeta: meta{Namespace: "shop", Name: name, ResourceVersion: "1"}}
		deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app"}}
		deployments.Items = append(deployments.Items, deployment)
	}
	auths := &kedav1alpha1.TriggerAuthenticationList{TypeMeta: metav1.TypeMeta{APIVersion: "keda.sh/v1alpha1", Kind: "TriggerAuthenticationList"}}
	auths.Items = []kedav1alpha1.TriggerAuthentication{{ObjectMeta: meta{Namespace: "shop", Name: "redis", ResourceVersion: "1"}}}
	for _, l := range []metav1.ListInterface{objects, hpas, deployments, auths} {
		l.SetResourceVersion("1")
	}
	empty := metav1.ListMeta{ResourceVersion: "1"}
	return map[string]runtime.Object{
		"scaledobjects": objects, "horizontalpodautoscalers": hpas, "deployments": deployments, "triggerauthentications": auths,
		"clustertriggerauthentications": &kedav1alpha1.ClusterTriggerAuthenticationList{TypeMeta: metav1.TypeMeta{APIVersion: "keda.sh/v1alpha1", Kind: "ClusterTriggerAuthenticationList"}, ListMeta: empty},
		"statefulsets":                  &appsv1.StatefulSetList{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSetList"}, ListMeta: empty},
		"limitranges":                   &corev1.LimitRangeList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "LimitRangeList"}, ListMeta: empty},
	}
}

// reviews are of objects that make a review look everywhere, and whether each is
// let through.
func reviews(t testing.TB) map[bool]admission.Request {
	t.Helper()
	const cpu = "triggers: [{type: redis, metadata: {address: 'redis:6379', listName: orders}, authenticationRef: {name: redis}}, {type: cpu, metricType: Utilization, metadata: {value: '50'}}]"
	return map[bool]admission.Request{
		true:  request(t, kedav1alpha1.KindScaledObject, scaled(t, "orders", "triggers: [{type: redis, metadata: {address: 'redis:6379', listName: orders}, authenticationRef: {name: redis}}]"), nil),
		false: request(t, kedav1alpha1.KindScaledObject, scaled(t, "orders", "scaleTargetRef: {name: worker-7}, "+cpu), nil),
	}
}

// TestManyObjects: among 10,000 objects a review costs what it costs among 100, and
// nobody is called.
func TestManyObjects(t *testing.T) {
	few, many := newCached(t, 100), newCached(t, 10_000)
	for allowed, req := range reviews(t) {
		var allocs []float64
		for _, c := range []*cached{few, many} {
			before := c.calls.Load()
			allocs = append(allocs, testing.AllocsPerRun(20, func() {
				response, err := c.review(t.Context(), kinds[kedav1alpha1.KindScaledObject], req)
				if err != nil || response.Allowed != allowed {
					t.Fatalf("allowed is %t, want %t: %v %v", response.Allowed, allowed, response.Result, err)
				}
				if words := []string{"ScaledObject worker-7", "container app"}; !allowed {
					for _, word := range words {
						if !strings.Contains(response.Result.Message, word) {
							t.Fatalf("the refusal lacks %q: %s", word, response.Result.Message)
						}
					}
				}
			}))
			if calls := c.calls.Load() - before; calls > 0 {
				t.Errorf("the API server was called %d times", calls)
			}
		}
		if allocs[1] > allocs[0]*1.05 {
			t.Errorf("a review that is let through: %t, allocates %.0f times among 10,000 objects, and %.0f among 100", allowed, allocs[1], allocs[0])
		}
	}
}

// BenchmarkReview: one review, among few objects and many.
func BenchmarkReview(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("objects=%d", n), func(b *testing.B) {
			c := newCached(b, n)
			req := reviews(b)[true]
			b.ReportAllocs()
			for b.Loop() {
				if response, err := c.review(b.Context(), kinds[kedav1alpha1.KindScaledObject], req); err != nil || !response.Allowed {
					b.Fatal(response.Result, err)
				}
			}
		})
	}
}
