package horizontal

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/freshet-io/freshet/controller/timeline"
)

var errNoAnswer = errors.New("no answer")

// world is what a timeline tells of.
type world struct {
	start, now time.Time
	hpa        autoscalingv2.HorizontalPodAutoscalerSpec
	names      []string
	in         Input
	memory     Memory
}

// Obey takes a line, and of a step returns the decision.
func (w *world) Obey(words []string) (string, error) {
	first, rest := words[0], words[1:]
	switch first {
	case "hpa":
		return "", timeline.Each(rest, w.set)
	case "behavior", "up", "down":
		return "", w.behave(first, rest)
	case "metric":
		return "", w.measure(rest)
	case "at":
		after, err := time.ParseDuration(rest[0])
		if err != nil {
			return "", err
		}
		w.now = w.start.Add(after)
		w.in.StatusReplicas = w.in.Replicas
		w.in.ScaleErr, w.in.WriteErr, w.in.Selector = nil, nil, nil
		if err := timeline.Each(rest[1:], w.set); err != nil {
			return "", err
		}
		return w.decide(), nil
	}
	return "", timeline.ErrUnknownWord
}

// set takes a fact of the world.
func (w *world) set(key, value string) (err error) {
	for i, name := range w.names {
		if name == key {
			return w.see(i, value)
		}
	}
	n, err := strconv.ParseInt(value, 10, 32)
	count := int32(n)
	switch key {
	case "min":
		w.hpa.MinReplicas = &count
	case "max":
		w.hpa.MaxReplicas = count
	case "replicas":
		w.in.Replicas, w.in.StatusReplicas = count, count
	case "has":
		w.in.StatusReplicas = count
	case "pods":
		w.in.Pods = make([]Pod, count)
		for i := range w.in.Pods {
			w.in.Pods[i] = w.pod(i)
		}
	case "restart":
		w.memory, err = Memory{}, nil
	case "target":
		w.in.ScaleErr, err = errNoAnswer, nil
	case "write":
		w.in.WriteErr, err = errNoAnswer, nil
	case "selector":
		w.in.Selector, err = &SelectorFault{Reason: value, Err: errNoAnswer}, nil
	default:
		return timeline.ErrUnknownWord
	}
	return err
}

// pod is one that has long been ready.
func (w *world) pod(i int) Pod {
	long := w.start.Add(-time.Hour)
	return Pod{Name: fmt.Sprint("pod", i), Phase: corev1.PodRunning, Start: long, Ready: corev1.ConditionTrue, ReadySince: long}
}

// see takes a reading: a value, the sum of several as 1+2, values of pods as 1,2
// or an error.
func (w *world) see(i int, value string) error {
	if value == "error" {
		w.in.Readings[i] = Reading{Err: errNoAnswer}
		return nil
	}
	kind := w.hpa.Metrics[i].Type
	if kind != autoscalingv2.ExternalMetricSourceType && kind != autoscalingv2.ObjectMetricSourceType {
		return w.seePods(i, strings.Split(value, ","))
	}
	w.in.Readings[i] = Reading{}
	for one := range strings.SplitSeq(value, "+") {
		q, err := resource.ParseQuantity(one)
		if err != nil {
			return err
		}
		w.in.Readings[i].Values = append(w.in.Readings[i].Values, q.MilliValue())
	}
	return nil
}

// seePods takes the values of pods in thousandths, each of which requests 100:
// "-" is missing; a letter tells what else is special of a pod.
func (w *world) seePods(i int, values []string) error {
	reading := Reading{Pods: map[string]PodValue{}, Requests: map[string]int64{}}
	w.in.Pods = nil
	for n, text := range values {
		p := w.pod(n)
		number := strings.TrimRight(text, "updn")
		switch text[len(number):] {
		case "u": // it was never ready
			p.Ready = corev1.ConditionFalse
		case "n": // it started a minute ago, and its value is older than its being ready
			p.Start, p.ReadySince = w.now.Add(-time.Minute), w.now.Add(-10*time.Second)
		case "p":
			p.Phase = corev1.PodPending
		case "d":
			p.Deleting = true
		}
		w.in.Pods = append(w.in.Pods, p)
		reading.Requests[p.Name] = 100
		if number == "-" {
			continue
		}
		milli, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return err
		}
		reading.Pods[p.Name] = PodValue{Milli: milli, At: w.now.Add(-5 * time.Second), Window: 30 * time.Second}
	}
	w.in.Readings[i] = reading
	return nil
}

// decide calls Decide, and tells of it. The count becomes what it wrote.
func (w *world) decide() string {
	d, memory := Decide(SpecOf(&w.hpa, DefaultSettings()), &w.in, w.memory, w.now)
	w.memory = memory
	reasons := make([]string, len(d.Conditions))
	for i, c := range d.Conditions {
		reasons[i] = c.Reason
		if c.Type == scaledToZero {
			w.in.ScaledToZero = c.Status
		}
	}
	change := fmt.Sprintf("stays %d", d.Current)
	if d.Desired != d.Current {
		change = fmt.Sprintf("%d to %d", d.Current, d.Desired)
	}
	if d.Rescaled {
		w.in.Replicas = d.Desired
	}
	return fmt.Sprintf("%s, %s: %s [%s]", d.Outcome, change, d.Why(), strings.Join(reasons, " "))
}
