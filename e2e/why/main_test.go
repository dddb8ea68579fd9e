// Package why holds the end-to-end tests of what Freshet says of why it scales: by
// its own commands, with the rights of different users, on a real control plane with
// the stock HPA controller.
package why

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/e2e/suite"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// world is what all tests share.
var world suite.World

func TestMain(m *testing.M) { os.Exit(world.Main(m)) }

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

// orders is a trigger of a list of the scene's Redis: 5 items a replica.
func (s *scene) orders() kedav1alpha1.ScaleTriggers {
	return kedav1alpha1.ScaleTriggers{
		Type: "redis", Metadata: map[string]string{"address": s.redis.Addr(), "listName": "orders", "listLength": "5"},
	}
}

// fill makes the list that many items long, at once.
func (s *scene) fill(n int) {
	s.Helper()
	change := s.redis.Client().TxPipeline()
	change.Del(s.Ctx, "orders")
	for i := range n {
		change.RPush(s.Ctx, "orders", i)
	}
	_, err := change.Exec(s.Ctx)
	s.Must(err)
}

// reader is the kubeconfig of a new user who may read the ScaledObjects of the
// scene's namespace, and nothing else.
func (s *scene) reader(name string, rules ...rbacv1.PolicyRule) string {
	s.Helper()
	meta := metav1.ObjectMeta{Name: name}
	s.Create(&corev1.ServiceAccount{ObjectMeta: meta},
		&rbacv1.Role{ObjectMeta: meta, Rules: rules},
		&rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: s.Namespace}},
		})
	path, err := world.Cluster.ServiceAccountKubeconfig(s.Ctx, s.Namespace, name)
	s.Must(err)
	return path
}

// readObjects is the right to read ScaledObjects.
var readObjects = rbacv1.PolicyRule{APIGroups: []string{kedav1alpha1.GroupName}, Resources: []string{"scaledobjects"}, Verbs: []string{"get", "list"}}

// run runs the program as the user of a kubeconfig.
func (s *scene) run(kubeconfig string, args ...string) (string, error) {
	s.Helper()
	return s.command(kubeconfig, world.Program, args...)
}

func (s *scene) command(kubeconfig, program string, args ...string) (string, error) {
	s.Helper()
	cmd := exec.CommandContext(s.Ctx, program, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// explain is the explanation of the ScaledObject "worker", read as JSON.
func (s *scene) explain(kubeconfig string) (*whyv1alpha1.Explanation, error) {
	s.Helper()
	out, err := s.run(kubeconfig, "explain", s.Namespace+"/worker", "-o", "json")
	if err != nil {
		return nil, err
	}
	e := &whyv1alpha1.Explanation{}
	if err := json.Unmarshal([]byte(out), e); err != nil {
		return nil, fmt.Errorf("reading %s: %w", out, err)
	}
	return e, nil
}

// expect waits until the explanation of "worker" passes a check.
func (s *scene) expect(what, kubeconfig string, check func(*whyv1alpha1.Explanation) error) *whyv1alpha1.Explanation {
	s.Helper()
	var last *whyv1alpha1.Explanation
	s.Eventually(what, func() error {
		e, err := s.explain(kubeconfig)
		if err != nil {
			return err
		}
		last = e
		return check(e)
	})
	return last
}
