package v1alpha1

const (
	// HPANamePrefix stands before the ScaledObject's name in the name of a HorizontalPodAutoscaler that was not given
	// one.
	HPANamePrefix = "keda-hpa-"

	// CompositeMetricName is the one external metric of a ScaledObject that has a formula. It takes the place of the
	// metrics of the single triggers.
	CompositeMetricName = "composite-metric"

	// maxNameLength bounds the names that end up as the value of a label.
	maxNameLength = 63
)

// DefaultHPAName is the name of the HorizontalPodAutoscaler of a ScaledObject that does not choose one.
func DefaultHPAName(scaledObject string) string {
	return HPANamePrefix + scaledObject
}
