package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// The play: nothing for a while, a burst of orders, a steady stream, and the end.
const (
	quiet      = 4 * time.Second
	burst      = 40
	stream     = 30 * time.Second
	orderRate  = 6.0 // orders a second while the stream lasts
	workRate   = 1.0 // orders a second that one ready replica works off
	frame      = time.Second
	workEvery  = 100 * time.Millisecond
	tableTitle = "  time  backlog  average/target  replicas  ready  what happened, and why"
)

// show plays the play and prints the table. It returns once the workload went
// up and is back at zero.
func (s *stage) show(ctx context.Context) error {
	began := time.Now()
	seen := map[types.UID]bool{}
	if err := s.remember(ctx, seen); err != nil {
		return err
	}
	first := make(chan time.Duration, 1)
	go s.produce(ctx, first)
	go s.work(ctx)
	fmt.Println(tableTitle)
	most := int32(0)
	for {
		row, err := s.look(ctx, seen)
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		fmt.Printf("%5.0fs  %7d  %14s  %8d  %5d  %s\n", time.Since(began).Seconds(), row.backlog, row.metric, row.replicas, row.ready,
			strings.Join(row.news, "\n"+strings.Repeat(" ", 48)))
		most = max(most, row.ready)
		if most > 0 && row.replicas == 0 && row.ready == 0 && time.Since(began) > quiet+stream {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(frame):
		}
	}
	fmt.Printf("\n0 → %d → 0 in %.0f s; the first replicas were asked for %d ms after the first order\n",
		most, time.Since(began).Seconds(), (<-first).Milliseconds())
	return nil
}

// row is one line of the table.
type row struct {
	backlog         int64
	metric          string
	replicas, ready int32
	news            []string
}

// look reads everything that a line shows.
func (s *stage) look(ctx context.Context, seen map[types.UID]bool) (row, error) {
	var r row
	var err error
	if r.backlog, err = s.redis.LLen(ctx, list).Result(); err != nil {
		return r, fmt.Errorf("reading the backlog: %w", err)
	}
	d, err := s.deployment(ctx)
	if err != nil {
		return r, err
	}
	r.replicas, r.ready = *d.Spec.Replicas, d.Status.ReadyReplicas
	r.metric = s.metric(ctx)
	r.news, err = s.news(ctx, seen)
	return r, err
}

func (s *stage) deployment(ctx context.Context) (*appsv1.Deployment, error) {
	var d appsv1.Deployment
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: workload}, &d); err != nil {
		return nil, fmt.Errorf("reading Deployment %s: %w", workload, err)
	}
	return &d, nil
}

// metric is what the HPA read last.
func (s *stage) metric(ctx context.Context) string {
	var hpa autoscalingv2.HorizontalPodAutoscaler
	err := s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: kedav1alpha1.DefaultHPAName(workload)}, &hpa)
	if err != nil || len(hpa.Status.CurrentMetrics) == 0 || hpa.Status.CurrentMetrics[0].External == nil || len(hpa.Spec.Metrics) == 0 {
		return "-"
	}
	current, target := hpa.Status.CurrentMetrics[0].External.Current.AverageValue, hpa.Spec.Metrics[0].External.Target.AverageValue
	if current == nil || target == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f/%s", current.AsApproximateFloat64(), target)
}

// remember marks the events there are as seen.
func (s *stage) remember(ctx context.Context, seen map[types.UID]bool) error {
	_, err := s.news(ctx, seen)
	return err
}

// news are events on the ScaledObject and its HPA that were not seen yet.
func (s *stage) news(ctx context.Context, seen map[types.UID]bool) ([]string, error) {
	var events eventsv1.EventList
	if err := s.client.List(ctx, &events, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	var news []string
	for i := range events.Items {
		e := &events.Items[i]
		if seen[e.UID] {
			continue
		}
		seen[e.UID] = true
		switch e.Regarding.Kind {
		case "ScaledObject":
			news = append(news, "freshet: "+strings.ReplaceAll(e.Note, "apps/v1.Deployment "+namespace+"/", ""))
		case "HorizontalPodAutoscaler":
			if e.Reason == "SuccessfulRescale" {
				note, _, _ := strings.Cut(e.Note, "(&LabelSelector")
				news = append(news, "hpa: "+note)
			}
		}
	}
	return news, nil
}

// produce pushes orders and says how long after the first one the workload was
// asked to have replicas.
func (s *stage) produce(ctx context.Context, first chan<- time.Duration) {
	if !sleep(ctx, quiet) {
		return
	}
	w, err := s.client.Watch(ctx, &appsv1.DeploymentList{}, client.InNamespace(namespace))
	if err != nil {
		return // the table shows what is wrong with the cluster
	}
	defer w.Stop()
	began := time.Now()
	s.redis.RPush(ctx, list, make([]any, burst)...)
	go func() {
		for e := range w.ResultChan() {
			if d, ok := e.Object.(*appsv1.Deployment); ok && d.Name == workload && *d.Spec.Replicas > 0 {
				first <- time.Since(began)
				return
			}
		}
	}()
	for time.Since(began) < stream && sleep(ctx, time.Second) {
		s.redis.RPush(ctx, list, make([]any, int(orderRate))...)
	}
}

// work models the workers, whose pods do nothing here: every ready replica
// takes orders off the list at workRate.
func (s *stage) work(ctx context.Context) {
	due := 0.0
	for sleep(ctx, workEvery) {
		d, err := s.deployment(ctx)
		if err != nil {
			continue
		}
		due += float64(d.Status.ReadyReplicas) * workRate * workEvery.Seconds()
		n := math.Floor(due)
		due -= n
		if n > 0 {
			s.redis.LPopCount(ctx, list, int(n))
		}
	}
}

// sleep tells whether d went by before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
