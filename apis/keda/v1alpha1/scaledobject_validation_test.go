package v1alpha1

import (
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// told is a fault without its text: what kind it is of, and where.
type told struct {
	Type  field.ErrorType
	Field string
}

// expectFaults compares faults with those expected, and holds each text to saying what to change.
func expectFaults(t *testing.T, reason string, want []told, got field.ErrorList) {
	t.Helper()
	var have []told
	for _, fault := range got {
		have = append(have, told{fault.Type, fault.Field})
		if fault.Type != field.ErrorTypeNotSupported && len(strings.Fields(fault.Detail)) < 4 {
			t.Errorf("the fault of %s does not say what to change: %q", fault.Field, fault.Detail)
		}
	}
	if diff := gocmp.Diff(want, have); diff != "" {
		t.Errorf("%s (-want +got):\n%s\n%v", reason, diff, got.ToAggregate())
	}
}

const (
	invalid     = field.ErrorTypeInvalid
	required    = field.ErrorTypeRequired
	forbidden   = field.ErrorTypeForbidden
	unsupported = field.ErrorTypeNotSupported
)

func TestScaledObjectValidate(t *testing.T) {
	cases := map[string]struct {
		reason string
		object *ScaledObject
		want   []told
	}{
		"Minimal":      {reason: "what is needed is enough", object: scaledObject()},
		"MinEqualsMax": {reason: "the bounds may meet", object: scaledObject(replicas(-1, 4, 4))},
		"MinAboveMax": {
			reason: "min is at most max",
			object: scaledObject(replicas(-1, 5, 4)),
			want:   []told{{invalid, "spec.minReplicaCount"}},
		},
		"MinAboveNoMax": {
			reason: "max is 100 when left out",
			object: scaledObject(replicas(-1, 101, -1)),
			want:   []told{{invalid, "spec.minReplicaCount"}},
		},
		"MinIsNoMax":   {reason: "100 is not above 100", object: scaledObject(replicas(-1, 100, -1))},
		"IdleBelowMin": {reason: "idle is below min", object: scaledObject(replicas(0, 1, -1))},
		"IdleEqualsMin": {
			reason: "idle is below min",
			object: scaledObject(replicas(2, 2, -1)),
			want:   []told{{invalid, "spec.idleReplicaCount"}},
		},
		"IdleWithoutMin": {
			reason: "min is 0 when left out",
			object: scaledObject(replicas(0, -1, -1)),
			want:   []told{{invalid, "spec.idleReplicaCount"}},
		},
		"NegativeNumbers": {
			reason: "the schema's minimums hold for objects that no API server has seen too",
			object: scaledObject(func(so *ScaledObject) {
				so.Spec.PollingInterval, so.Spec.CooldownPeriod, so.Spec.InitialCooldownPeriod = new(int32(0)), new(int32(-1)), new(int32(-1))
				so.Spec.MinReplicaCount, so.Spec.MaxReplicaCount, so.Spec.IdleReplicaCount = new(int32(-1)), new(int32(0)), new(int32(-2))
			}),
			want: []told{
				{invalid, "spec.pollingInterval"}, {invalid, "spec.cooldownPeriod"}, {invalid, "spec.initialCooldownPeriod"},
				{invalid, "spec.idleReplicaCount"}, {invalid, "spec.minReplicaCount"}, {invalid, "spec.maxReplicaCount"},
			},
		},
		"NoTarget": {
			reason: "there is something to scale",
			object: scaledObject(func(so *ScaledObject) { so.Spec.ScaleTargetRef.Name = "" }),
			want:   []told{{required, "spec.scaleTargetRef.name"}},
		},
		"OddTarget": {
			reason: "apiVersion is a group and a version",
			object: scaledObject(func(so *ScaledObject) { so.Spec.ScaleTargetRef.APIVersion = "a/b/c" }),
			want:   []told{{invalid, "spec.scaleTargetRef.apiVersion"}},
		},
		"NoTriggers": {
			reason: "there is a trigger",
			object: scaledObject(triggers()),
			want:   []told{{required, "spec.triggers"}},
		},
		"UntypedTwice": {
			reason: "each trigger has a type",
			object: scaledObject(triggers(ScaleTriggers{}, ScaleTriggers{})),
			want:   []told{{required, "spec.triggers[0].type"}, {required, "spec.triggers[1].type"}},
		},
		"SameNames": {
			reason: "names are unique, and each that is not is told",
			object: scaledObject(triggers(ScaleTriggers{Type: "kafka", Name: "a"}, ScaleTriggers{Type: "redis"},
				ScaleTriggers{Type: "redis", Name: "a"}, ScaleTriggers{Type: "redis"}, ScaleTriggers{Type: "nats", Name: "a"})),
			want: []told{{invalid, "spec.triggers[2].name"}, {invalid, "spec.triggers[4].name"}},
		},
		"Cached": {
			reason: "cpu, memory and cron are never cached",
			object: scaledObject(replicas(-1, 1, -1), triggers(
				ScaleTriggers{Type: "cpu", UseCachedMetrics: true}, ScaleTriggers{Type: "memory", UseCachedMetrics: true},
				ScaleTriggers{Type: "cron", UseCachedMetrics: true}, ScaleTriggers{Type: "kafka", UseCachedMetrics: true})),
			want: []told{
				{forbidden, "spec.triggers[0].useCachedMetrics"}, {forbidden, "spec.triggers[1].useCachedMetrics"},
				{forbidden, "spec.triggers[2].useCachedMetrics"},
			},
		},
		"OddReference": {
			reason: "credentials are in one of two kinds; a reference without a name is one to nothing",
			object: scaledObject(triggers(ScaleTriggers{Type: "kafka", AuthenticationRef: &AuthenticationRef{Kind: "Secret"}},
				ScaleTriggers{Type: "kafka", AuthenticationRef: &AuthenticationRef{}})),
			want: []told{{unsupported, "spec.triggers[0].authenticationRef.kind"}},
		},
		"Fallback": {
			reason: "numbers of a fallback are not negative, and its behavior is a known one",
			object: scaledObject(func(so *ScaledObject) {
				so.Spec.Fallback = &Fallback{FailureThreshold: -1, Replicas: -1, Behavior: "hope"}
			}),
			want: []told{{invalid, "spec.fallback.failureThreshold"}, {invalid, "spec.fallback.replicas"}, {unsupported, "spec.fallback.behavior"}},
		},
		"FallbackZero": {
			reason: "zeros are fine in a fallback",
			object: scaledObject(func(so *ScaledObject) { so.Spec.Fallback = &Fallback{} }),
		},
		"FallbackWithoutFormula": {
			reason: "a fallback by formula needs one",
			object: scaledObject(func(so *ScaledObject) { so.Spec.Fallback = &Fallback{Behavior: FallbackBehaviorScalingModifiers} }),
			want:   []told{{invalid, "spec.fallback.behavior"}},
		},
		"FallbackWithFormula": {
			reason: "a fallback by formula that has one",
			object: scaledObject(modifiers(ScalingModifiers{Formula: "orders ?? 0", Target: "1"}),
				func(so *ScaledObject) { so.Spec.Fallback = &Fallback{Behavior: FallbackBehaviorScalingModifiers} }),
		},
		"FormulaAlone": {
			reason: "a formula needs a target",
			object: scaledObject(modifiers(ScalingModifiers{Formula: "orders"})),
			want:   []told{{required, "spec.advanced.scalingModifiers.target"}},
		},
		"TargetAlone": {
			reason: "a target needs a formula",
			object: scaledObject(modifiers(ScalingModifiers{Target: "1.5"})),
			want:   []told{{required, "spec.advanced.scalingModifiers.formula"}},
		},
		"EmptyModifiers": {reason: "no field set is no formula meant", object: scaledObject(modifiers(ScalingModifiers{}))},
		"OddModifiers": {
			reason: "targets are numbers and the metric type is a known one",
			object: scaledObject(modifiers(ScalingModifiers{Formula: "orders", Target: "-2", ActivationTarget: "some", MetricType: "Utilization"})),
			want: []told{
				{invalid, "spec.advanced.scalingModifiers.target"}, {invalid, "spec.advanced.scalingModifiers.activationTarget"},
				{unsupported, "spec.advanced.scalingModifiers.metricType"},
			},
		},
		"LongName": {
			reason: "the name is the value of a label",
			object: scaledObject(func(so *ScaledObject) { so.Name = strings.Repeat("n", 64) }),
			want:   []told{{invalid, "metadata.name"}},
		},
		"OddPause": {
			reason: "one pauses at a number",
			object: scaledObject(annotated(AnnotationPausedReplicas, "few")),
			want:   []told{{invalid, "metadata.annotations[autoscaling.keda.sh/paused-replicas]"}},
		},
		"OnlyForNewOnes": {
			reason: "what only new objects are refused for is no fault",
			object: scaledObject(func(so *ScaledObject) { so.Name = strings.Repeat("n", 60) }, triggers(ScaleTriggers{Type: "cpu"})),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			expectFaults(t, tc.reason, tc.want, tc.object.Validate())
		})
	}
}

func TestScaledObjectValidateAdmission(t *testing.T) {
	onlyResource := triggers(ScaleTriggers{Type: "cpu"}, ScaleTriggers{Type: "memory"})
	const hpaName = "spec.advanced.horizontalPodAutoscalerConfig.name"
	cases := map[string]struct {
		reason string
		object *ScaledObject
		want   []told
	}{
		"Minimal": {reason: "what is needed is enough", object: scaledObject()},
		"Faults": {
			reason: "faults are told here too",
			object: scaledObject(triggers()),
			want:   []told{{required, "spec.triggers"}},
		},
		"LongHPAName": {
			reason: "the name that follows from the object's is bounded too",
			object: scaledObject(func(so *ScaledObject) { so.Name = strings.Repeat("n", 55) }),
			want:   []told{{invalid, hpaName}},
		},
		"LongButNamed": {
			reason: "another name helps",
			object: scaledObject(hpaConfig(HorizontalPodAutoscalerConfig{Name: "short"}), func(so *ScaledObject) { so.Name = strings.Repeat("n", 63) }),
		},
		"TransferOfNone": {
			reason: "what is taken over has a name",
			object: scaledObject(annotated(AnnotationTransferHPAOwnership, "true")),
			want:   []told{{required, hpaName}},
		},
		"TransferOfOne": {
			reason: "what is taken over has a name",
			object: scaledObject(annotated(AnnotationTransferHPAOwnership, "true"), hpaConfig(HorizontalPodAutoscalerConfig{Name: "mine"})),
		},
		"ResourceAtZero": {
			reason: "cpu and memory do not wake from zero",
			object: scaledObject(onlyResource),
			want:   []told{{invalid, "spec.minReplicaCount"}},
		},
		"ResourceAboveIt": {
			reason: "cpu and memory scale from one",
			object: scaledObject(onlyResource, replicas(-1, 1, -1)),
		},
		"ResourceBeside": {
			reason: "another trigger wakes the workload",
			object: scaledObject(triggers(ScaleTriggers{Type: "cpu"}, ScaleTriggers{Type: "cron"})),
		},
		"ResourceFallback": {
			reason: "cpu and memory have no fallback",
			object: scaledObject(onlyResource, replicas(-1, 1, -1), func(so *ScaledObject) { so.Spec.Fallback = &Fallback{} }),
			want:   []told{{forbidden, "spec.fallback"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			expectFaults(t, tc.reason, tc.want, tc.object.ValidateAdmission())
		})
	}
}

func TestScaledObjectWarnings(t *testing.T) {
	timed := func(so *ScaledObject) {
		so.Spec.PollingInterval, so.Spec.CooldownPeriod = new(int32(10)), new(int32(10))
	}
	cases := map[string]struct {
		reason string
		object *ScaledObject
		want   []string
	}{
		"Minimal":  {reason: "nothing to warn of", object: scaledObject()},
		"FromZero": {reason: "both matter on the way to and from zero", object: scaledObject(timed)},
		"FromOne": {
			reason: "neither matters above it",
			object: scaledObject(timed, replicas(-1, 1, -1)),
			want:   []string{"spec.pollingInterval", "spec.cooldownPeriod"},
		},
		"FromIdle": {reason: "both matter on the way to and from idle", object: scaledObject(timed, replicas(0, 1, -1))},
		"Cached": {
			reason: "the interval of what is cached matters", object: scaledObject(timed, replicas(-1, 1, -1),
				triggers(ScaleTriggers{Type: "kafka", UseCachedMetrics: true})),
			want: []string{"spec.cooldownPeriod"},
		},
		"Unnamed": {
			reason: "a formula cannot use a trigger without a name; cpu has no value to use",
			object: scaledObject(modifiers(ScalingModifiers{Formula: "a", Target: "1"}),
				triggers(ScaleTriggers{Type: "kafka", Name: "a"}, ScaleTriggers{Type: "kafka"}, ScaleTriggers{Type: "cpu"})),
			want: []string{"spec.triggers[1]"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, warning := range tc.object.Warnings() {
				path, _, _ := strings.Cut(warning, " ")
				got = append(got, path)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%s: got warnings of %v, want of %v", tc.reason, got, tc.want)
			}
		})
	}
}
