package v1alpha1

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// scaledObject builds a ScaledObject without faults, named "shop", with one trigger, and changes it.
func scaledObject(changes ...func(*ScaledObject)) *ScaledObject {
	so := &ScaledObject{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{}},
		Spec: ScaledObjectSpec{
			ScaleTargetRef: ScaleTarget{Name: "shop"},
			Triggers:       []ScaleTriggers{{Type: "kafka", Name: "orders", Metadata: map[string]string{}}},
		},
	}
	for _, change := range changes {
		change(so)
	}
	return so
}

// replicas sets the bounds of a ScaledObject; a negative number leaves one out.
func replicas(idle, minimum, maximum int32) func(*ScaledObject) {
	optional := func(n int32) *int32 {
		if n < 0 {
			return nil
		}
		return &n
	}
	return func(so *ScaledObject) {
		so.Spec.IdleReplicaCount = optional(idle)
		so.Spec.MinReplicaCount = optional(minimum)
		so.Spec.MaxReplicaCount = optional(maximum)
	}
}

// modifiers sets the scalingModifiers of a ScaledObject.
func modifiers(m ScalingModifiers) func(*ScaledObject) {
	return func(so *ScaledObject) { so.Spec.Advanced = &AdvancedConfig{ScalingModifiers: &m} }
}

// hpaConfig sets the horizontalPodAutoscalerConfig of a ScaledObject.
func hpaConfig(c HorizontalPodAutoscalerConfig) func(*ScaledObject) {
	return func(so *ScaledObject) { so.Spec.Advanced = &AdvancedConfig{HorizontalPodAutoscalerConfig: &c} }
}

// triggers sets the triggers of a ScaledObject.
func triggers(list ...ScaleTriggers) func(*ScaledObject) {
	return func(so *ScaledObject) { so.Spec.Triggers = list }
}

// annotated sets an annotation of a ScaledObject.
func annotated(key, value string) func(*ScaledObject) {
	return func(so *ScaledObject) { so.Annotations[key] = value }
}

// effective is everything that the defaults of a ScaledObject answer.
type effective struct {
	Polling, Cooldown, InitialCooldown time.Duration
	Min, Max, HPAMin                   int32
	Idle                               *int32
	HPAName                            string
	Behavior                           *autoscalingv2.HorizontalPodAutoscalerBehavior
	Restores                           bool
	Modifiers                          *ScalingModifiers
	Target                             schema.GroupVersionKind
}

func effectiveOf(t *testing.T, so *ScaledObject) effective {
	t.Helper()
	target, err := so.Spec.ScaleTargetRef.GVK()
	if err != nil {
		t.Fatal(err)
	}
	return effective{
		Polling: so.PollingInterval(), Cooldown: so.CooldownPeriod(), InitialCooldown: so.InitialCooldownPeriod(),
		Min: so.MinReplicas(), Max: so.MaxReplicas(), HPAMin: so.HPAMinReplicas(), Idle: so.IdleReplicas(),
		HPAName: so.HPAName(), Behavior: so.HPABehavior(), Restores: so.RestoresReplicas(),
		Modifiers: so.ScalingModifiers(), Target: target,
	}
}

func TestScaledObjectDefaults(t *testing.T) {
	defaults := effective{
		Polling: 30 * time.Second, Cooldown: 5 * time.Minute, InitialCooldown: 0,
		Min: 0, Max: 100, HPAMin: 1, HPAName: "keda-hpa-shop",
		Target: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
	}
	with := func(change func(*effective)) effective {
		e := defaults
		change(&e)
		return e
	}
	behavior := &autoscalingv2.HorizontalPodAutoscalerBehavior{
		ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: new(int32(60))},
	}
	formula := ScalingModifiers{Formula: "orders", Target: "1"}
	cases := map[string]struct {
		reason string
		object *ScaledObject
		want   effective
	}{
		"Nothing": {reason: "what is left out has its default", object: scaledObject(), want: defaults},
		"EmptyBlocks": {
			reason: "blocks without a field in them are as good as left out",
			object: scaledObject(func(so *ScaledObject) {
				so.Spec.Advanced = &AdvancedConfig{
					HorizontalPodAutoscalerConfig: &HorizontalPodAutoscalerConfig{}, ScalingModifiers: &ScalingModifiers{},
				}
			}),
			want: defaults,
		},
		"Zeros": {
			reason: "a zero that is written down is not a default",
			object: scaledObject(replicas(0, 0, 1), func(so *ScaledObject) {
				so.Spec.CooldownPeriod = new(int32(0))
				so.Spec.InitialCooldownPeriod = new(int32(0))
			}),
			want: with(func(e *effective) { e.Cooldown, e.Idle, e.Max = 0, new(int32(0)), 1 }),
		},
		"Numbers": {
			reason: "numbers are taken as they are, the minimum of the HorizontalPodAutoscaler too",
			object: scaledObject(replicas(2, 3, 9), func(so *ScaledObject) {
				so.Spec.PollingInterval = new(int32(5))
				so.Spec.CooldownPeriod = new(int32(7))
				so.Spec.InitialCooldownPeriod = new(int32(11))
			}),
			want: with(func(e *effective) {
				e.Polling, e.Cooldown, e.InitialCooldown = 5*time.Second, 7*time.Second, 11*time.Second
				e.Idle, e.Min, e.HPAMin, e.Max = new(int32(2)), 3, 3, 9
			}),
		},
		"Advanced": {
			reason: "name, behavior, formula and restoring are taken from advanced",
			object: scaledObject(func(so *ScaledObject) {
				so.Spec.Advanced = &AdvancedConfig{
					HorizontalPodAutoscalerConfig: &HorizontalPodAutoscalerConfig{Name: "mine", Behavior: behavior},
					RestoreToOriginalReplicaCount: true, ScalingModifiers: &formula,
				}
			}),
			want: with(func(e *effective) {
				e.HPAName, e.Behavior, e.Restores, e.Modifiers = "mine", behavior, true, &formula
			}),
		},
		"Target": {
			reason: "apiVersion and kind have defaults of their own",
			object: scaledObject(func(so *ScaledObject) { so.Spec.ScaleTargetRef.Kind = "StatefulSet" }),
			want:   with(func(e *effective) { e.Target.Kind = "StatefulSet" }),
		},
		"CoreTarget": {
			reason: "the core group is empty",
			object: scaledObject(func(so *ScaledObject) {
				so.Spec.ScaleTargetRef.APIVersion, so.Spec.ScaleTargetRef.Kind = "v1", "ReplicationController"
			}),
			want: with(func(e *effective) {
				e.Target = schema.GroupVersionKind{Version: "v1", Kind: "ReplicationController"}
			}),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := gocmp.Diff(tc.want, effectiveOf(t, tc.object)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestHPABehaviorIsACopy(t *testing.T) {
	so := scaledObject(hpaConfig(HorizontalPodAutoscalerConfig{Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{
		ScaleUp: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: new(int32(60))},
	}}))
	before := so.DeepCopy()
	so.HPABehavior().ScaleUp.SelectPolicy = new(autoscalingv2.DisabledPolicySelect)
	if diff := gocmp.Diff(before, so); diff != "" {
		t.Errorf("changing what HPABehavior gives changes the object (-before +after):\n%s", diff)
	}
}

func TestScalingModifiersNumbers(t *testing.T) {
	cases := map[string]struct {
		reason                       string
		modifiers                    ScalingModifiers
		target, activation           float64
		targetFails, activationFails bool
	}{
		"Whole": {
			reason:     "whole numbers",
			modifiers:  ScalingModifiers{Target: "5", ActivationTarget: "2"},
			target:     5,
			activation: 2,
		},
		"Fraction": {
			reason:     "fractions and negative activation",
			modifiers:  ScalingModifiers{Target: "0.5", ActivationTarget: "-1.5"},
			target:     0.5,
			activation: -1.5,
		},
		"LeftOut": {reason: "only the activation has a default", targetFails: true},
		"Zero": {
			reason:      "a target is above 0",
			modifiers:   ScalingModifiers{Target: "0", ActivationTarget: "0"},
			targetFails: true,
		},
		"Text": {
			reason:          "text is no number",
			modifiers:       ScalingModifiers{Target: "five", ActivationTarget: "two"},
			targetFails:     true,
			activationFails: true,
		},
		"NotFinite": {
			reason:          "a number is finite",
			modifiers:       ScalingModifiers{Target: "Inf", ActivationTarget: "NaN"},
			targetFails:     true,
			activationFails: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			target, err := tc.modifiers.TargetValue()
			if target != tc.target || (err != nil) != tc.targetFails {
				t.Errorf("%s: TargetValue() = %v, %v", tc.reason, target, err)
			}
			activation, err := tc.modifiers.ActivationTargetValue()
			if activation != tc.activation || (err != nil) != tc.activationFails {
				t.Errorf("%s: ActivationTargetValue() = %v, %v", tc.reason, activation, err)
			}
		})
	}
}

func TestEffectiveChoices(t *testing.T) {
	owner, empty := IdentityOwnerWorkload, IdentityOwner("")
	var none *TriggerAuthenticationSpec
	cases := map[string]struct{ want, got any }{
		"trigger metricType, left out": {autoscalingv2.AverageValueMetricType, (&ScaleTriggers{}).EffectiveMetricType()},
		"trigger metricType, given": {
			autoscalingv2.ValueMetricType,
			(&ScaleTriggers{MetricType: "Value"}).EffectiveMetricType(),
		},
		"modifiers metricType, left out": {
			autoscalingv2.AverageValueMetricType,
			(&ScalingModifiers{}).EffectiveMetricType(),
		},
		"modifiers metricType, given": {
			autoscalingv2.ValueMetricType,
			(&ScalingModifiers{MetricType: "Value"}).EffectiveMetricType(),
		},
		"reference kind, left out": {KindTriggerAuthentication, (&AuthenticationRef{}).EffectiveKind()},
		"reference kind, given": {
			"ClusterTriggerAuthentication",
			(&AuthenticationRef{Kind: KindClusterTriggerAuthentication}).EffectiveKind(),
		},
		"fallback behavior, left out": {FallbackBehaviorStatic, (&Fallback{}).EffectiveBehavior()},
		"fallback behavior, given": {
			FallbackBehaviorCurrentReplicas,
			(&Fallback{Behavior: "currentReplicas"}).EffectiveBehavior(),
		},
		"identity owner, left out": {IdentityOwnerKeda, (&AuthPodIdentity{}).EffectiveIdentityOwner()},
		"identity owner, empty": {
			IdentityOwnerKeda,
			(&AuthPodIdentity{IdentityOwner: &empty}).EffectiveIdentityOwner(),
		},
		"identity owner, given":  {owner, (&AuthPodIdentity{IdentityOwner: &owner}).EffectiveIdentityOwner()},
		"provider, without spec": {PodIdentityProviderNone, none.PodIdentityProvider()},
		"provider, left out":     {PodIdentityProviderNone, (&TriggerAuthenticationSpec{}).PodIdentityProvider()},
		"provider, given": {
			PodIdentityProviderGCP,
			(&TriggerAuthenticationSpec{PodIdentity: &AuthPodIdentity{Provider: "gcp"}}).PodIdentityProvider(),
		},
	}
	for name, tc := range cases {
		if diff := gocmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestGroupVersionKindResource(t *testing.T) {
	deployment := GroupVersionKindResource{Group: "apps", Version: "v1", Kind: "Deployment", Resource: "deployments"}
	pod := GroupVersionKindResource{Version: "v1", Kind: "Pod", Resource: "pods"}
	cases := map[string]struct{ want, got any }{
		"String":          {"apps/v1.Deployment", deployment.String()},
		"String, in core": {"v1.Pod", pod.String()},
		"GVK":             {schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, deployment.GVK()},
		"GVR": {
			schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
			deployment.GVR(),
		},
		"GroupResource": {schema.GroupResource{Group: "apps", Resource: "deployments"}, deployment.GroupResource()},
	}
	for name, tc := range cases {
		if diff := gocmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
