package kube

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/locate"
)

func init() {
	scalers.Register(scalers.Kind[*clusterConn, *Resource]{
		Types: []string{"kubernetes-resource"}, Category: "kube", Since: "0.1.0", Label: "kubernetesResourceScaler",
		Example: map[string]string{
			"resourceKind": "ConfigMap", "resourceName": "backlog", "key": "queues.json", "format": "json",
			"valueLocation": "orders.waiting", "targetValue": "20",
		},
		ReadAll: readResources,
		Watch:   watchResource,
	})
}

// Resource scales on a number in a ConfigMap or Secret of its namespace, from the
// moment that it changes. What is missing there, or no number, is an error.
type Resource struct {
	// Kind of the object.
	Kind string `param:"resourceKind" enum:"ConfigMap,Secret"`
	// Name of the object.
	Name string `param:"resourceName"`
	// Key of the object's data that holds the number.
	Key string `param:"key"`
	// How the number is written there: alone, or in a document.
	Format string `param:"format" default:"number" enum:"number,json,yaml"`
	// Where the number is in the document: with format json a path of GJSON, such
	// as queues.0.depth, with yaml keys and places joined by dots. Texts there are
	// read as numbers or quantities.
	ValueLocation string `param:"valueLocation,optional"`
	// What the number is: with format number, float64 and int64 are decimal and
	// quantity is one such as 500m or 2Gi; with the others, int64 has no fraction.
	ValueType string `param:"valueType" default:"float64" enum:"float64,int64,quantity"`
	// Value that one replica should handle.
	TargetValue float64 `param:"targetValue" min:"0.001" role:"target"`
	// Value above which the workload leaves zero.
	ActivationTargetValue float64 `param:"activationTargetValue,optional" role:"activation"`

	// Namespace is the object's.
	Namespace string

	reader client.Reader
	// last is what the object held when it was last read.
	last struct {
		uid     types.UID
		version string
		n       float64
		err     error
	}
}

// Bind keeps the namespace.
func (r *Resource) Bind(s scalers.Setting) error {
	r.Namespace, r.reader = s.Object.Namespace, s.Cluster
	return nil
}

// Validate checks that a document, and only one, has a location.
func (r *Resource) Validate() error {
	switch {
	case r.Format == "number" && r.ValueLocation != "":
		return errors.New("parameter valueLocation is for format json or yaml: set one of these, or remove it")
	case r.Format != "number" && r.ValueLocation == "":
		return errors.New("parameter valueLocation is missing: format " + r.Format + " needs to know where the number is")
	}
	return nil
}

// Source are the ConfigMaps and Secrets.
func (r *Resource) Source() scalers.Source[*clusterConn] {
	return cluster{What: "ConfigMaps and Secrets", reader: r.reader}
}

// Stem names the object and key.
func (r *Resource) Stem() string {
	return strings.ToLower(r.Kind) + "-" + r.Name + "-" + r.Key
}

// Read reads the number, which it knows already if the object has not changed.
func (r *Resource) Read(ctx context.Context, c *clusterConn) (scalers.Value, error) {
	obj := r.object()
	err := c.Get(ctx, r.name(), obj, client.UnsafeDisableDeepCopy)
	switch {
	case apierrors.IsNotFound(err):
		return scalers.Value{}, scalers.ConfigurationError("%s %s does not exist: create it, or correct parameter resourceName", r.Kind, r.name())
	case err != nil:
		return scalers.Value{}, c.explain(err)
	}
	last := &r.last
	if uid, version := obj.GetUID(), obj.GetResourceVersion(); last.version != version || last.uid != uid || version == "" {
		last.uid, last.version = uid, version
		last.n, last.err = r.numberIn(obj)
	}
	return scalers.Number(last.n), last.err
}

// numberIn is the number in the object.
func (r *Resource) numberIn(obj client.Object) (float64, error) {
	var data []byte
	var ok bool
	switch obj := obj.(type) {
	case *corev1.ConfigMap:
		var text string
		text, ok = obj.Data[r.Key]
		data = []byte(text)
	case *corev1.Secret:
		data, ok = obj.Data[r.Key]
	}
	if !ok {
		return 0, scalers.ConfigurationError("%s %s has no key %q: add it, or correct parameter key", r.Kind, r.name(), r.Key)
	}
	n, err := r.number(data)
	if err != nil {
		return 0, scalers.ConfigurationError("in key %q of %s %s: %w", r.Key, r.Kind, r.name(), err)
	}
	return n, nil
}

func (r *Resource) name() client.ObjectKey {
	return client.ObjectKey{Namespace: r.Namespace, Name: r.Name}
}

// object is an empty one of the kind.
func (r *Resource) object() client.Object {
	if r.Kind == "Secret" {
		return &corev1.Secret{}
	}
	return &corev1.ConfigMap{}
}

// number reads data. Its errors do not quote it.
func (r *Resource) number(data []byte) (n float64, err error) {
	switch {
	case r.Format == "json":
		n, err = locate.JSON(data, r.ValueLocation)
	case r.Format == "yaml":
		n, err = locate.YAML(data, r.ValueLocation)
	case r.ValueType == "quantity":
		var q resource.Quantity
		if q, err = locate.Quantity(string(data)); err != nil {
			return 0, fmt.Errorf("there is %w", err)
		}
		n = q.AsApproximateFloat64()
	default:
		if n, err = locate.Number(string(data)); err != nil {
			return 0, fmt.Errorf("there is %w", err)
		}
	}
	if err == nil && r.ValueType == "int64" && n != math.Trunc(n) {
		return 0, errors.New("there is a number with a fraction: write an integer, or set parameter valueType to float64")
	}
	return n, err
}

// readResources reads each from the cache.
func readResources(ctx context.Context, c *clusterConn, resources []*Resource, out []scalers.Result) error {
	for i, r := range resources {
		if err := ctx.Err(); err != nil { // documents may be large
			out[i].Err = err
			continue
		}
		out[i].Value, out[i].Err = r.Read(ctx, c)
	}
	return nil
}

// watchResource tells of changes of the object.
func watchResource(ctx context.Context, c *clusterConn, r *Resource, event func(active bool)) error {
	return c.listen(ctx, c.Reader, r.Kind, r.object(), r.name(), func() { event(false) })
}
