package scalers

import (
	"context"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Setting is what a trigger may know beyond its parameters: where it stands, and
// what the host lends it. See [Binder].
type Setting struct {
	// Object is the ScaledObject or ScaledJob that the trigger is of.
	Object ObjectRef
	// Index is its place in spec.triggers, Name its name there.
	Index int
	Name  string
	// MetricType is how its value compares with its target.
	MetricType autoscalingv2.MetricTargetType
	// PollingInterval is how often it is read on schedule.
	PollingInterval time.Duration
	// Formula tells that a formula stands in for the trigger's own target, which
	// then may be missing or 0.
	Formula bool
	// Metadata and Env are the trigger's metadata and the environment of the
	// target's container as they were decoded.
	Metadata, Env map[string]string
	// Identity is the identity of a pod that it signs in by.
	Identity Identity
	// Cluster reads the cluster's objects, from a cache where there is one; nil
	// where there is no cluster.
	Cluster client.Reader
}

// ObjectRef names an object.
type ObjectRef struct {
	Kind, Namespace, Name string
}

// Identity is the identity of a pod that a trigger signs in by, in place of a
// password. The zero value is none.
type Identity struct {
	// Provider is azure-workload, aws, gcp, or "" for none.
	Provider string
	// ID, TenantID and AuthorityHost say as whom to sign in to Azure, where; what
	// is empty is that of Freshet's own pod.
	ID, TenantID, AuthorityHost string
	// RoleARN is the AWS role to assume, with ExternalID; "" is Freshet's own.
	RoleARN, ExternalID string
}

// IsNone tells whether there is no identity.
func (i Identity) IsNone() bool { return i.Provider == "" }

type nowKey struct{}

// WithNow returns a context of a read that began at the moment now.
func WithNow(ctx context.Context, now time.Time) context.Context {
	return context.WithValue(ctx, nowKey{}, now)
}

// Now returns when the read with this context began: triggers have no other
// clock. A context that no host made has the present.
func Now(ctx context.Context) time.Time {
	if now, ok := ctx.Value(nowKey{}).(time.Time); ok {
		return now
	}
	return time.Now()
}

type glanceKey struct{}

// WithGlance returns a context of a read for what is idle, which asks more often
// than the interval whether that is still so: a trigger that nothing was added to
// since it was read may be given the value that it had.
func WithGlance(ctx context.Context) context.Context {
	return context.WithValue(ctx, glanceKey{}, true)
}

// IsGlance tells whether the context is of [WithGlance].
func IsGlance(ctx context.Context) bool { return ctx.Value(glanceKey{}) != nil }
