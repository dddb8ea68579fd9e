// Package triggers makes scalers of the entries of spec.triggers, of ScaledObjects
// and ScaledJobs alike.
package triggers

import (
	"context"
	"fmt"
	"strings"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/param"
)

// Decoded is a trigger with its authentication resolved.
type Decoded struct {
	// Scaler reads it, and Metric is the name of what it reads.
	Scaler *scalers.Scaler
	Metric string
	// Notes are what the user should know about its parameters.
	Notes []param.Notice
	// Refresh is when to resolve again because no watch tells; 0 is never.
	Refresh time.Duration
}

// Decode resolves what a trigger refers to and decodes it. Setting says of which
// object and at which place it is.
func Decode(ctx context.Context, resolver *auth.Resolver, w auth.Workload, spec *kedav1alpha1.ScaleTriggers, setting scalers.Setting) (Decoded, error) {
	var d Decoded
	kind, err := scalers.Find(spec.Type)
	if err != nil {
		return d, err
	}
	resolved, err := resolver.Resolve(ctx, w, spec.AuthenticationRef)
	d.Refresh = resolved.Refresh
	if err != nil {
		return d, err
	}
	in := param.Input{Metadata: spec.Metadata, Auth: resolved.Params}
	if WantsEnv(spec.Metadata) {
		if in.Env, err = resolver.Environment(ctx, w); err != nil {
			return d, err
		}
	}
	setting.Name, setting.MetricType, setting.Identity = spec.Name, spec.MetricType, resolved.Identity
	if d.Scaler, d.Notes, err = scalers.Decode(spec.Type, in, setting); err != nil {
		return d, err
	}
	d.Metric = scalers.MetricName(setting.Index, d.Scaler.Stem)
	if kind.Resource {
		d.Metric = d.Scaler.Stem
	}
	return d, nil
}

// WantsEnv tells whether metadata takes values from the environment of the workload.
func WantsEnv(metadata map[string]string) bool {
	for key := range metadata {
		if strings.HasSuffix(key, "FromEnv") {
			return true
		}
	}
	return false
}

// Name is how messages call the trigger at that place.
func Name(spec *kedav1alpha1.ScaleTriggers, index int) string {
	if spec.Name != "" {
		return fmt.Sprintf("%q (%s)", spec.Name, spec.Type)
	}
	return fmt.Sprintf("%d (%s)", index, spec.Type)
}

// Label is the trigger in self-metrics.
func Label(spec *kedav1alpha1.ScaleTriggers, scaler *scalers.Scaler) string {
	if spec.Name != "" {
		return spec.Name
	}
	return scaler.Kind.Label
}

// Sooner is the lesser of two delays of which 0 is never.
func Sooner(a, b time.Duration) time.Duration {
	if a == 0 || (b > 0 && b < a) {
		return b
	}
	return a
}
