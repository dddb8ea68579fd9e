package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

var (
	objectLabels = []string{"namespace", "scaledObject"}

	readingTime = prometheus.NewDesc("freshet_scaler_reading_timestamp_seconds",
		"When a trigger was last read, well or not, in seconds since 1970.", scalerLabels, nil)
	objectReady = prometheus.NewDesc("freshet_scaled_object_ready",
		"1 while a ScaledObject is Ready, else 0.", objectLabels, nil)
	objectInterval = prometheus.NewDesc("freshet_scaled_object_polling_interval_seconds",
		"How often the triggers of a ScaledObject are read on schedule, in seconds.", objectLabels, nil)
	jobReady = prometheus.NewDesc("freshet_scaled_job_ready",
		"1 while a ScaledJob is Ready, else 0.", []string{"namespace", "scaledJob"}, nil)
	hpaCurrent = prometheus.NewDesc("freshet_hpa_current_replicas",
		"Replicas that the HPA of a ScaledObject last saw.", objectLabels, nil)
	hpaDesired = prometheus.NewDesc("freshet_hpa_desired_replicas",
		"Replicas that the HPA of a ScaledObject last asked for.", objectLabels, nil)
	hpaMin = prometheus.NewDesc("freshet_hpa_min_replicas",
		"Replicas that the HPA of a ScaledObject may ask for at least.", objectLabels, nil)
	hpaMax = prometheus.NewDesc("freshet_hpa_max_replicas",
		"Replicas that the HPA of a ScaledObject may ask for at most.", objectLabels, nil)
)

// collectScaling tells how ScaledObjects and ScaledJobs are doing. A list that fails leaves its
// metrics out.
func (c *Collector) collectScaling(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // of a cache that is not filled yet
	defer cancel()
	var objects kedav1alpha1.ScaledObjectList
	if err := c.reader.List(ctx, &objects, client.UnsafeDisableDeepCopy); err == nil {
		for i := range objects.Items {
			so := &objects.Items[i]
			gauge(ch, objectReady, truth(so.Status.Conditions.Get(kedav1alpha1.ConditionReady).IsTrue()), so.Namespace, so.Name)
			gauge(ch, objectInterval, so.PollingInterval().Seconds(), so.Namespace, so.Name)
		}
	}
	var scaledJobs kedav1alpha1.ScaledJobList
	if err := c.reader.List(ctx, &scaledJobs, client.UnsafeDisableDeepCopy); err == nil {
		for i := range scaledJobs.Items {
			sj := &scaledJobs.Items[i]
			ready := 0.0
			if sj.Status.Conditions.Get(kedav1alpha1.ConditionReady).IsTrue() {
				ready = 1
			}
			gauge(ch, jobReady, ready, sj.Namespace, sj.Name)
		}
	}
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	if err := c.reader.List(ctx, &hpas, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	told := map[[2]string]bool{} // while an HPA is renamed there are two
	for i := range hpas.Items {
		hpa := &hpas.Items[i]
		owner := metav1.GetControllerOf(hpa)
		if owner == nil || owner.Kind != kedav1alpha1.KindScaledObject || hpa.DeletionTimestamp != nil {
			continue
		}
		key := [2]string{hpa.Namespace, owner.Name}
		if told[key] {
			continue
		}
		told[key] = true
		minimum := int32(1) // what Kubernetes takes when it is left out
		if hpa.Spec.MinReplicas != nil {
			minimum = *hpa.Spec.MinReplicas
		}
		gauge(ch, hpaCurrent, float64(hpa.Status.CurrentReplicas), key[:]...)
		gauge(ch, hpaDesired, float64(hpa.Status.DesiredReplicas), key[:]...)
		gauge(ch, hpaMin, float64(minimum), key[:]...)
		gauge(ch, hpaMax, float64(hpa.Spec.MaxReplicas), key[:]...)
	}
}
