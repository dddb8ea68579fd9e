package main

import (
	"context"
	"fmt"
	"net/url"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// metricPath is where the external metric of one object is read, from the root
// of an adapter or of the API server.
type metricPath struct {
	object string
	path   string
}

// metricPaths are those of a set, in its order. What an HPA reads is known from
// the HPA itself, whoever made it.
func (b *bench) metricPaths(ctx context.Context, s set) ([]metricPath, error) {
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	if err := call(ctx, func(ctx context.Context) error {
		return b.client.List(ctx, &hpas, client.InNamespace(b.options.namespace))
	}); err != nil {
		return nil, fmt.Errorf("listing HPAs: %w", err)
	}
	byObject := map[string]string{}
	for i := range hpas.Items {
		path, err := pathOf(&hpas.Items[i])
		if err != nil {
			return nil, err
		}
		byObject[hpas.Items[i].Spec.ScaleTargetRef.Name] = path
	}
	paths := make([]metricPath, 0, s.objects)
	for _, name := range s.names() {
		path := byObject[name]
		if path == "" {
			return nil, fmt.Errorf("object %s has no HPA with an external metric: set the objects up first", name)
		}
		paths = append(paths, metricPath{name, path})
	}
	return paths, nil
}

// pathOf is where an HPA reads its first external metric; "" when it has none.
func pathOf(hpa *autoscalingv2.HorizontalPodAutoscaler) (string, error) {
	for _, m := range hpa.Spec.Metrics {
		if m.External == nil {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(m.External.Metric.Selector)
		if err != nil {
			return "", fmt.Errorf("reading the selector of HPA %s: %w", hpa.Name, err)
		}
		return "/apis/external.metrics.k8s.io/v1beta1/namespaces/" + hpa.Namespace + "/" + url.PathEscape(m.External.Metric.Name) +
			"?labelSelector=" + url.QueryEscape(selector.String()), nil
	}
	return "", nil
}
