package kube_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// TestFixtures: objects.yaml of a case are what the cluster holds.
func TestFixtures(t *testing.T) {
	nowhere := func(testing.TB, string) string { return "" }
	scalertest.Fixtures(t, "testdata/fixtures", nowhere, func(t testing.TB, folder string, s *scalers.Setting) {
		builder := fake.NewClientBuilder()
		text, err := os.ReadFile(filepath.Join(folder, "objects.yaml"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for document := range bytes.SplitSeq(text, []byte("---\n")) {
			if len(document) == 0 {
				continue
			}
			inJSON, err := yaml.ToJSON(document)
			if err != nil {
				t.Fatal(err)
			}
			obj, _, err := clientgoscheme.Codecs.UniversalDeserializer().Decode(inJSON, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			builder.WithRuntimeObjects(obj)
		}
		s.Cluster = builder.Build()
	})
}

func TestConform(t *testing.T) {
	cluster := fake.NewClientBuilder().WithObjects(pod("a", "orders", "n", corev1.PodRunning), held("Secret", m{"n": "7"})).Build()
	now := time.Now().UTC().Add(-12 * time.Hour) // a window that opened half a day ago
	for typ, c := range map[string]struct {
		metadata m
		want     float64
	}{
		"cron":                {m{"timezone": "UTC", "start": now.Format("4 15 * * *"), "end": now.Add(-time.Hour).Format("4 15 * * *"), "desiredReplicas": "3"}, 3},
		"kubernetes-workload": {m{"podSelector": "app", "value": "1"}, 1},
		"kubernetes-resource": {m{"resourceKind": "Secret", "resourceName": "backlog", "key": "n", "targetValue": "1"}, 7},
	} {
		t.Run(typ, func(t *testing.T) {
			scalertest.Conform(t, scalertest.Conformance{
				Type: typ, At: func(string) param.Input { return param.Input{Metadata: c.metadata} },
				Setting: at(cluster), Want: scalers.Number(c.want),
			})
		})
	}
}
