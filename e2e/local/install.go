// Package local runs Freshet as a plain process beside a control plane on this
// machine: with its own ServiceAccount's token and rights, and reached by the
// API server through a Service of type ExternalName.
package local

import (
	"context"
	"fmt"
	"path/filepath"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
)

// Namespace is where Freshet's own objects are.
const Namespace = "freshet"

// Cluster is a control plane to install into.
type Cluster interface {
	// Kubectl runs kubectl as the administrator.
	Kubectl(ctx context.Context, args ...string) ([]byte, error)
}

// NewClient makes a client that knows the kinds that suites work with.
func NewClient(config *rest.Config) (client.WithWatch, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, kedav1alpha1.AddToScheme, apiregistrationv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("making a scheme: %w", err)
		}
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return c, nil
}

// Install applies the CRDs and the rights of config, the folder of Freshet's
// manifests.
func Install(ctx context.Context, c Cluster, config string) error {
	if _, err := c.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(config, "crd")); err != nil {
		return fmt.Errorf("installing CRDs: %w", err)
	}
	if _, err := c.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(config, "rbac")); err != nil {
		return fmt.Errorf("installing rights: %w", err)
	}
	if _, err := c.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=30s", "crd", "scaledobjects.keda.sh", "scaledjobs.keda.sh", "triggerauthentications.keda.sh", "clustertriggerauthentications.keda.sh"); err != nil {
		return fmt.Errorf("waiting for CRDs: %w", err)
	}
	return nil
}

// apis are what the adapter serves.
var apis = []schema.GroupVersion{{Group: "external.metrics.k8s.io", Version: "v1beta1"}, whyv1alpha1.GroupVersion}

// serviceName is that of the APIService of a group.
func serviceName(gv schema.GroupVersion) string { return gv.Version + "." + gv.Group }

// RouteTo has the API server send what the adapter serves to it, on that port of
// this machine. Freshet tells the API server whom to trust; another server is not
// verified.
func RouteTo(ctx context.Context, c client.Client, port int32, verify bool) error {
	service := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: "freshet", Namespace: Namespace},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: "localhost",
			Ports: []corev1.ServicePort{{Name: "adapter", Port: port}},
		},
	}
	objects := []client.Object{service}
	for _, gv := range apis {
		objects = append(objects, &apiregistrationv1.APIService{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apiregistration.k8s.io/v1", Kind: "APIService"},
			ObjectMeta: metav1.ObjectMeta{Name: serviceName(gv)},
			Spec: apiregistrationv1.APIServiceSpec{
				Group: gv.Group, Version: gv.Version,
				GroupPriorityMinimum: 100, VersionPriority: 100, InsecureSkipTLSVerify: !verify,
				Service: &apiregistrationv1.ServiceReference{Namespace: Namespace, Name: "freshet", Port: &port},
			},
		})
	}
	for _, obj := range objects {
		//nolint:staticcheck // applying a typed object is meant: all its fields are given
		if err := c.Patch(ctx, obj, client.Apply, client.FieldOwner("freshet-local"), client.ForceOwnership); err != nil {
			return fmt.Errorf("applying %s: %w", obj.GetName(), err)
		}
	}
	return nil
}
