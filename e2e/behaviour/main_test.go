// Package behaviour holds the end-to-end tests of what users tell a ScaledObject by
// annotations, fallbacks, formulas and authentications, on a real control plane with
// the stock HPA controller.
package behaviour

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/suite"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// world is what all tests share.
var world suite.World

// TestMain lets more tests run at a time than there are processors: they mostly wait.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(world.Main(m))
}

// scene is the place of one test, with a Redis.
type scene struct {
	*suite.Scene
	redis *servers.Redis
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := world.NewScene(t)
	return &scene{Scene: s, redis: s.Redis(servers.RedisOptions{})}
}

// list is a trigger of a list of the scene's Redis: 5 items a replica.
func (s *scene) list(name string) kedav1alpha1.ScaleTriggers {
	return kedav1alpha1.ScaleTriggers{
		Type: "redis", Name: name,
		Metadata: map[string]string{"address": s.redis.Addr(), "listName": name, "listLength": "5"},
	}
}

// fill makes a list that many items long, at once: Freshet wakes on the first item
// that it is told of.
func (s *scene) fill(list string, n int) {
	s.Helper()
	change := s.redis.Client().TxPipeline()
	change.Del(s.Ctx, list)
	for i := range n {
		change.RPush(s.Ctx, list, i)
	}
	_, err := change.Exec(s.Ctx)
	s.Must(err)
}

// annotate sets annotations of the ScaledObject "worker", or removes those that are
// "".
func (s *scene) annotate(annotations map[string]string) {
	s.Helper()
	suite.Change(s.Scene, "worker", &kedav1alpha1.ScaledObject{}, func(so *kedav1alpha1.ScaledObject) {
		if so.Annotations == nil {
			so.Annotations = map[string]string{}
		}
		for key, value := range annotations {
			if so.Annotations[key] = value; value == "" {
				delete(so.Annotations, key)
			}
		}
	})
}

// worker makes the Deployment "worker" and a ScaledObject of it.
func (s *scene) worker(replicas int32, edit func(*kedav1alpha1.ScaledObject), triggers ...kedav1alpha1.ScaleTriggers) {
	s.Helper()
	s.Deployment("worker", replicas)
	so := s.ScaledObject(triggers...)
	if edit != nil {
		edit(so)
	}
	s.Create(so)
}

// expectMetric waits until the HPA is given that value of a metric of "worker".
func (s *scene) expectMetric(metric, value string) {
	s.Helper()
	s.expectMetricWithin(suite.Patience, metric, value)
}

func (s *scene) expectMetricWithin(limit time.Duration, metric, value string) {
	s.Helper()
	path := fmt.Sprintf("/apis/external.metrics.k8s.io/v1beta1/namespaces/%s/%s?labelSelector=scaledobject.keda.sh%%2Fname%%3Dworker", s.Namespace, metric)
	s.Within(limit, "value "+value+" of "+metric, func() error {
		out, err := world.Cluster.Kubectl(s.Ctx, "get", "--raw", path)
		if err != nil {
			return err
		}
		if want := fmt.Sprintf(`"value":%q`, value); !contains(string(out), want) {
			return fmt.Errorf("the answer is %s", out)
		}
		return nil
	})
}
