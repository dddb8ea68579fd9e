package horizontal

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	autoscalingclient "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	autoscalinglisters "k8s.io/client-go/listers/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	scaleclient "k8s.io/client-go/scale"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

var (
	errUnanswered = errors.New("the test has it fail")
	deployments   = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
)

// server is all that the controller talks to. One sync at a time uses it.
type server struct {
	hpas, pods *informer
	scale      *autoscalingv1.Scale
	// scaleErr and writeErr are what goes wrong.
	scaleErr, writeErr error
	// answers are those of the metrics in the order of the HPA.
	answers []answer
	asked   int
	version int
}

// answer is that of a metrics API.
type answer struct {
	err    error
	values []int64
	pods   metrics.PodMetricsInfo
}

// informer has what the test puts into its store.
type informer struct {
	cache.SharedIndexInformer // nil: the controller calls what is below, and nothing else
	store                     versioned
	handler                   cache.ResourceEventHandler
}

// versioned is a store that is never behind.
type versioned struct {
	cache.Indexer
	server *server
}

func (v versioned) LastStoreSyncResourceVersion() string { return strconv.Itoa(v.server.version) }

func newInformer(s *server) *informer {
	by := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	return &informer{store: versioned{cache.NewIndexer(cache.MetaNamespaceKeyFunc, by), s}}
}

func (i *informer) HasSynced() bool       { return true }
func (i *informer) GetStore() cache.Store { return i.store }

func (i *informer) AddEventHandlerWithResyncPeriod(h cache.ResourceEventHandler, _ time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	i.handler = h
	return nil, nil
}

// replace has the store hold these objects alone.
func replace[T any](i *informer, objects ...T) {
	all := make([]any, len(objects))
	for n, o := range objects {
		all[n] = o
	}
	_ = i.store.Replace(all, "") // an indexer in memory takes everything
}

type hpaInformer struct{ *informer }

func (i hpaInformer) Informer() cache.SharedIndexInformer { return i.informer }
func (i hpaInformer) Lister() autoscalinglisters.HorizontalPodAutoscalerLister {
	return autoscalinglisters.NewHorizontalPodAutoscalerLister(i.store)
}

type podInformer struct{ *informer }

func (i podInformer) Informer() cache.SharedIndexInformer { return i.informer }
func (i podInformer) Lister() corelisters.PodLister       { return corelisters.NewPodLister(i.store) }

// scales serves the scale of the one target.
type scales struct {
	scaleclient.ScaleInterface
	*server
}

func (s *server) Scales(string) scaleclient.ScaleInterface { return scales{server: s} }

func (s scales) Get(context.Context, schema.GroupResource, string, metav1.GetOptions) (*autoscalingv1.Scale, error) {
	if s.scaleErr != nil {
		return nil, s.scaleErr
	}
	return s.scale.DeepCopy(), nil
}

func (s scales) Update(_ context.Context, _ schema.GroupResource, scale *autoscalingv1.Scale, _ metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	if s.writeErr != nil {
		return nil, s.writeErr
	}
	s.scale.Spec.Replicas = scale.Spec.Replicas
	return scale, nil
}

// statuses take the status of the HPA.
type statuses struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	*server
}

func (s *server) HorizontalPodAutoscalers(string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return statuses{server: s}
}

func (s statuses) UpdateStatus(_ context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, _ metav1.UpdateOptions) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	s.version++
	hpa.ResourceVersion = strconv.Itoa(s.version)
	replace(s.hpas, hpa)
	return hpa, nil
}

// mapper knows of Deployments.
type mapper struct{ meta.RESTMapper }

func (mapper) RESTMappings(kind schema.GroupKind, _ ...string) ([]*meta.RESTMapping, error) {
	return []*meta.RESTMapping{{Resource: deployments, GroupVersionKind: kind.WithVersion(deployments.Version)}}, nil
}

// nobody takes events.
type nobody struct{ corev1client.EventInterface }

func (nobody) Events(string) corev1client.EventInterface { return nobody{} }

func (nobody) CreateWithEventNamespace(e *corev1.Event) (*corev1.Event, error) {
	return e, nil
}

func (nobody) PatchWithEventNamespace(e *corev1.Event, _ []byte) (*corev1.Event, error) {
	return e, nil
}

// next is the answer to the metric that is asked for: they come in the order of the HPA.
func (s *server) next() answer {
	s.asked++
	return s.answers[s.asked-1]
}

// ofPods is a copy: the controller strikes out what it leaves out.
func (a answer) ofPods() (metrics.PodMetricsInfo, time.Time, error) {
	return maps.Clone(a.pods), time.Time{}, a.err
}

func (s *server) GetResourceMetric(context.Context, corev1.ResourceName, string, labels.Selector, string) (metrics.PodMetricsInfo, time.Time, error) {
	return s.next().ofPods()
}

func (s *server) GetRawMetric(string, string, labels.Selector, labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	return s.next().ofPods()
}

func (s *server) GetObjectMetric(string, string, *autoscalingv2.CrossVersionObjectReference, labels.Selector) (int64, time.Time, error) {
	a := s.next()
	if a.err != nil {
		return 0, time.Time{}, a.err
	}
	return a.values[0], time.Time{}, nil
}

func (s *server) GetExternalMetric(string, string, labels.Selector) ([]int64, time.Time, error) {
	a := s.next()
	return a.values, time.Time{}, a.err
}
