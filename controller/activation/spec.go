package activation

import (
	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
)

// SpecOf is what a ScaledObject that is not paused as a whole asks for.
func SpecOf(so *kedav1alpha1.ScaledObject) Spec {
	return Spec{
		Min: so.MinReplicas(), Max: so.MaxReplicas(), Idle: so.IdleReplicas(),
		Cooldown: so.CooldownPeriod(), InitialCooldown: so.InitialCooldownPeriod(),
		Behavior: so.HPABehavior(), Forced: so.ForceActivation(),
		PausedScaleIn: so.PausedScaleIn(), PausedScaleOut: so.PausedScaleOut(),
		Fallback: fallback.Of(so),
	}
}
