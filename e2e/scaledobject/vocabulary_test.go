package scaledobject

import (
	"testing"

	"github.com/redis/go-redis/v9"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/suite"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// scene is the place of one test, which may have a Redis.
type scene struct {
	*suite.Scene
	redis *servers.Redis
}

func newScene(t *testing.T) *scene {
	t.Helper()
	return &scene{Scene: world.NewScene(t)}
}

// withRedis gives the scene a Redis of its own.
func (s *scene) withRedis(o servers.RedisOptions) *scene {
	s.Helper()
	s.redis = s.Redis(o)
	return s
}

// scaledObject is one on the Deployment "worker" and the list "orders" of the
// scene's Redis: 5 items a replica, read every second.
func (s *scene) scaledObject(edit func(*kedav1alpha1.ScaledObject)) *kedav1alpha1.ScaledObject {
	so := s.ScaledObject(kedav1alpha1.ScaleTriggers{
		Type:     "redis",
		Metadata: map[string]string{"listName": "orders", "listLength": "5"},
	})
	if s.redis != nil {
		so.Spec.Triggers[0].Metadata["address"] = s.redis.Addr()
	}
	if edit != nil {
		edit(so)
	}
	return so
}

// push adds n items to the list.
func (s *scene) push(n int) {
	s.Helper()
	items := make([]any, n)
	for i := range items {
		items[i] = i
	}
	s.Must(s.client().RPush(s.Ctx, "orders", items...).Err())
}

// drain empties the list.
func (s *scene) drain() {
	s.Helper()
	s.Must(s.client().Del(s.Ctx, "orders").Err())
}

func (s *scene) client() *redis.Client { return s.redis.Client() }
