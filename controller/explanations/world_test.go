package explanations

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/ledger"
	"github.com/freshet-io/freshet/controller/target"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

const metric = "s0-redis-orders"

// world is a cluster with the ScaledObject shop/worker, of 7 replicas.
type world struct {
	*testing.T
	*Gatherer
	client client.Client
	owner  *owner
	slot   *store.Slot
}

// owner is who owns all objects.
type owner struct{ name string }

// Owner is that.
func (o *owner) Owner(poll.Key) string { return o.name }

// Self is this replica.
func (o *owner) Self() string { return "freshet-0" }

func newWorld(t *testing.T, more ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, kedav1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(appsv1.SchemeGroupVersion.WithKind("Deployment"), meta.RESTScopeNamespace)
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "worker", ManagedFields: []metav1.ManagedFieldsEntry{{
			Manager: "kube-controller-manager", Subresource: "scale", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "apps/v1",
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
		}}},
		Spec: appsv1.DeploymentSpec{Replicas: new(int32(7))},
	}
	w := &world{T: t, owner: &owner{"freshet-0"}}
	w.client = fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(mapper).WithReturnManagedFields().
		WithObjects(append(more, newObject(), deployment, newHPA())...).Build()
	w.Gatherer = &Gatherer{
		Client: w.client, Live: w.client, Targets: &target.Client{Client: w.client},
		Store: store.New(func(poll.Key) {}), Rules: &rules.Book{}, Ledger: ledger.New(ledger.DefaultBounds()),
		Ownership: w.owner, Since: time.Now().Add(-time.Hour),
	}
	w.slot = w.Store.Set(keyOf("shop", "worker"), []store.Trigger{{Metric: metric, Type: "redis", Label: "redisScaler", Freshness: time.Second}})[0]
	return w
}

func newObject() *kedav1alpha1.ScaledObject {
	return &kedav1alpha1.ScaledObject{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "worker", UID: "1", Labels: map[string]string{"team": "orders"}},
		Spec: kedav1alpha1.ScaledObjectSpec{
			ScaleTargetRef: kedav1alpha1.ScaleTarget{Name: "worker"}, MaxReplicaCount: new(int32(20)),
			Triggers: []kedav1alpha1.ScaleTriggers{{Type: "redis", Metadata: map[string]string{"listName": "orders", "listLength": "5"}}},
		},
		Status: kedav1alpha1.ScaledObjectStatus{Conditions: kedav1alpha1.Conditions{
			{Type: kedav1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: kedav1alpha1.ReasonScaledObjectReady},
			{Type: kedav1alpha1.ConditionActive, Status: metav1.ConditionTrue, Reason: kedav1alpha1.ReasonScalerActive, Message: "Scaling is performed because triggers are active"},
		}},
	}
}

// newHPA is the HPA that went from 4 to 7.
func newHPA() *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "keda-hpa-worker",
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(newObject(), kedav1alpha1.GroupVersion.WithKind("ScaledObject"))},
		},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: new(int32(1)), MaxReplicas: 20, Metrics: []autoscalingv2.MetricSpec{{
			Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: metric},
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: new(resource.MustParse("5"))},
			},
		}}},
		Status: statusOf(4, 7, "8250m"),
	}
}

// statusOf is what an HPA says that goes from one count to another on an average.
func statusOf(from, to int32, average string) autoscalingv2.HorizontalPodAutoscalerStatus {
	return autoscalingv2.HorizontalPodAutoscalerStatus{
		CurrentReplicas: from, DesiredReplicas: to,
		CurrentMetrics: []autoscalingv2.MetricStatus{{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricStatus{
			Metric: autoscalingv2.MetricIdentifier{Name: metric}, Current: autoscalingv2.MetricValueStatus{AverageValue: new(resource.MustParse(average))},
		}}},
		Conditions: []autoscalingv2.HorizontalPodAutoscalerCondition{
			{Type: autoscalingv2.AbleToScale, Status: corev1.ConditionTrue, Reason: "SucceededRescale"},
			{Type: autoscalingv2.ScalingActive, Status: corev1.ConditionTrue, Reason: "ValidMetricFound"},
			{Type: autoscalingv2.ScalingLimited, Status: corev1.ConditionFalse, Reason: "DesiredWithinRange"},
		},
	}
}

// read puts a value of the trigger among those that are read.
func (w *world) read(value float64) {
	w.slot.Put(scalers.Reading{Value: scalers.Number(value), Active: value > 0, At: time.Now()})
}

// who may do what, as "user verb namespace/name".
type who []string

// Authorize allows what is in the list.
func (w who) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if a.GetAPIGroup() != "keda.sh" || a.GetResource() != "scaledobjects" || !a.IsResourceRequest() {
		return authorizer.DecisionDeny, "", errors.New("another right is asked about")
	}
	asked := a.GetUser().GetName() + " " + a.GetVerb() + " " + a.GetNamespace() + "/" + a.GetName()
	for _, allowed := range w {
		if strings.TrimSuffix(allowed, "*") == asked[:min(len(asked), len(strings.TrimSuffix(allowed, "*")))] {
			return authorizer.DecisionAllow, "", nil
		}
	}
	return authorizer.DecisionNoOpinion, "no role says so", nil
}

// as is a request of a user about a namespace; "" is nobody.
func as(t *testing.T, name, namespace string) context.Context {
	ctx := request.WithNamespace(t.Context(), namespace)
	if name == "" {
		return ctx
	}
	return request.WithUser(ctx, &user.DefaultInfo{Name: name})
}
