package kube_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/freshet-io/freshet/scalers"
)

const (
	utilization  = autoscalingv2.UtilizationMetricType
	averageValue = autoscalingv2.AverageValueMetricType
)

func TestUsage(t *testing.T) {
	percent := func(n int32) autoscalingv2.MetricTarget {
		return autoscalingv2.MetricTarget{Type: utilization, AverageUtilization: &n}
	}
	quantity := func(text string) autoscalingv2.MetricTarget {
		return autoscalingv2.MetricTarget{Type: averageValue, AverageValue: new(resource.MustParse(text))}
	}
	for name, tc := range map[string]struct {
		typ        string
		metadata   m
		metricType autoscalingv2.MetricTargetType
		want       autoscalingv2.MetricSpec
	}{
		"a share of the processor": {
			"cpu", m{"value": "60"}, utilization,
			autoscalingv2.MetricSpec{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu", Target: percent(60)}},
		},
		"more than is requested": {
			"cpu", m{"value": "250"}, utilization,
			autoscalingv2.MetricSpec{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu", Target: percent(250)}},
		},
		"processors": {
			"cpu", m{"value": "500m"}, averageValue,
			autoscalingv2.MetricSpec{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu", Target: quantity("500m")}},
		},
		"a share of the memory": {
			"memory", m{"value": "80"}, utilization,
			autoscalingv2.MetricSpec{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{Name: "memory", Target: percent(80)}},
		},
		"memory": {
			"memory", m{"value": "1.5Gi"}, averageValue,
			autoscalingv2.MetricSpec{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{Name: "memory", Target: quantity("1.5Gi")}},
		},
		"of one container": {
			"memory", m{"value": "64Mi", "containerName": "app"}, averageValue,
			autoscalingv2.MetricSpec{Type: "ContainerResource", ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
				Name: "memory", Container: "app", Target: quantity("64Mi"),
			}},
		},
		"a share of one container's": {
			"cpu", m{"value": "1", "containerName": "side-car-2"}, utilization,
			autoscalingv2.MetricSpec{Type: "ContainerResource", ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
				Name: "cpu", Container: "side-car-2", Target: percent(1),
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := decode(t, tc.typ, tc.metadata, scalers.Setting{MetricType: tc.metricType})
			if diff := cmp.Diff(&tc.want, s.Resource); diff != "" {
				t.Errorf("the HPA's metric (-want +got):\n%s", diff)
			}
			if s.Stem != tc.typ || !s.Kind.Resource {
				t.Errorf("it is called %s", s.Stem)
			}
			other := decode(t, tc.typ, m{"value": "7"}, scalers.Setting{MetricType: tc.metricType})
			if s.Fingerprint == other.Fingerprint {
				t.Error("another value is the same configuration")
			}
		})
	}
}

func TestUsageFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		with       m
		metricType autoscalingv2.MetricTargetType
		names      []string
	}{
		"no metricType":           {nil, "", []string{"metricType is missing", "Utilization", "AverageValue"}},
		"Value":                   {nil, "Value", []string{`metricType is "Value"`, "Utilization", "AverageValue"}},
		"other case":              {nil, "utilization", []string{`metricType is "utilization"`}},
		"the former type":         {m{"type": "Utilization"}, utilization, []string{"type was removed", "metricType"}},
		"no value":                {m{"value": ""}, utilization, []string{"value is missing"}},
		"a sign of percent":       {m{"value": "60%"}, utilization, []string{`value is "60%"`, "whole percentage"}},
		"a fraction":              {m{"value": "0.6"}, utilization, []string{"value"}},
		"a quantity as a share":   {m{"value": "500m"}, utilization, []string{"value"}},
		"no share":                {m{"value": "0"}, utilization, []string{"at least 1"}},
		"less than none":          {m{"value": "-1"}, utilization, []string{"value"}},
		"too large a share":       {m{"value": "2147483648"}, utilization, []string{"value"}},
		"no quantity":             {m{"value": "lots"}, averageValue, []string{`value is "lots"`, "500m"}},
		"a quantity with an end":  {m{"value": "12abc"}, averageValue, []string{"value"}},
		"nothing":                 {m{"value": "0"}, averageValue, []string{"above 0"}},
		"less than nothing":       {m{"value": "-1Gi"}, averageValue, []string{"above 0"}},
		"no number":               {m{"value": "."}, averageValue, []string{"value"}},
		"a hostile quantity":      {m{"value": "1.5e-2147483647"}, averageValue, []string{"value"}},
		"a huge quantity":         {m{"value": strings.Repeat("9", 100_000)}, averageValue, []string{"value"}},
		"no name of a container":  {m{"containerName": "My App"}, utilization, []string{`containerName is "My App"`}},
		"a path for a container":  {m{"containerName": "a/b"}, utilization, []string{"containerName"}},
		"a long container's name": {m{"containerName": strings.Repeat("a", 64)}, utilization, []string{"containerName"}},
	} {
		for _, typ := range []string{"cpu", "memory"} {
			t.Run(typ+" with "+name, func(t *testing.T) {
				expectFault(t, typ, m{"value": "60"}, tc.with, scalers.Setting{MetricType: tc.metricType}, tc.names)
			})
		}
	}
}
