package external_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/freshet-io/freshet/scalers/external/externalscaler"
)

// What goes over the wire is the protocol of scalers that were written for KEDA.
func TestProtocol(t *testing.T) {
	source, err := os.ReadFile("externalscaler/externalscaler.proto")
	if err != nil {
		t.Fatal(err)
	}
	file := externalscaler.File_externalscaler_proto
	service := file.Services().ByName("ExternalScaler")
	if service == nil || service.FullName() != "externalscaler.ExternalScaler" {
		t.Fatal("there is no service externalscaler.ExternalScaler")
	}
	for method, want := range map[protoreflect.Name]struct {
		in, out protoreflect.Name
		streams bool
	}{
		"IsActive":         {"ScaledObjectRef", "IsActiveResponse", false},
		"StreamIsActive":   {"ScaledObjectRef", "IsActiveResponse", true},
		"GetMetricSpec":    {"ScaledObjectRef", "GetMetricSpecResponse", false},
		"GetMetrics":       {"GetMetricsRequest", "GetMetricsResponse", false},
		"StreamMetricSpec": {"ScaledObjectRef", "GetMetricSpecResponse", true},
	} {
		m := service.Methods().ByName(method)
		if m == nil || m.Input().Name() != want.in || m.Output().Name() != want.out ||
			m.IsStreamingServer() != want.streams || m.IsStreamingClient() {
			t.Errorf("method %s is %v", method, m)
		}
	}
	for message, fields := range map[protoreflect.Name]map[protoreflect.FieldNumber]string{
		"ScaledObjectRef":       {1: "name string", 2: "namespace string", 3: "scalerMetadata map"},
		"IsActiveResponse":      {1: "result bool"},
		"GetMetricSpecResponse": {1: "metricSpecs list"},
		"MetricSpec":            {1: "metricName string", 2: "targetSize int64", 3: "targetSizeFloat double"},
		"GetMetricsRequest":     {1: "scaledObjectRef message", 2: "metricName string"},
		"GetMetricsResponse":    {1: "metricValues list"},
		"MetricValue":           {1: "metricName string", 2: "metricValue int64", 3: "metricValueFloat double"},
	} {
		got := file.Messages().ByName(message)
		if got == nil || got.Fields().Len() != len(fields) {
			t.Errorf("message %s is %v", message, got)
			continue
		}
		for n, want := range fields {
			f := got.Fields().ByNumber(n)
			if f == nil {
				t.Errorf("%s has no field %d", message, n)
				continue
			}
			kind := f.Kind().String()
			switch {
			case f.IsMap():
				kind = "map"
			case f.IsList():
				kind = "list"
			}
			if is := string(f.Name()) + " " + kind; is != want {
				t.Errorf("field %d of %s is %s, want %s", n, message, is, want)
			}
			if line := fmt.Sprintf(" %s = %d;", f.Name(), n); !strings.Contains(string(source), line) {
				t.Errorf("%s lacks%s: make generate-proto was not run", file.Path(), line)
			}
		}
	}
}
