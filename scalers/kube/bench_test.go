package kube_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/freshet-io/freshet/scalers"
)

// BenchmarkCluster reads 1,000 triggers from a cache of 1,000 pods and one
// ConfigMap.
func BenchmarkCluster(b *testing.B) {
	server, cached := newAPI(b)
	for i := range 1000 {
		server.has("pods", pod(fmt.Sprint("pod-", i), fmt.Sprint("app-", i), fmt.Sprint("node-", i%50), corev1.PodRunning))
	}
	server.has("configmaps", held("ConfigMap", m{"n": `{"a": {"b": 7}}`}))
	for name, metadata := range map[string]func(i int) (typ string, of m){
		"workloads/one selector": func(i int) (string, m) {
			return "kubernetes-workload", m{"podSelector": "app", "value": fmt.Sprint(i + 1)}
		},
		"workloads/1000 selectors": func(i int) (string, m) {
			return "kubernetes-workload", m{"podSelector": fmt.Sprint("app=app-", i), "value": "1"}
		},
		"resources": func(i int) (string, m) {
			return "kubernetes-resource", m{"resourceKind": "ConfigMap", "resourceName": "backlog", "key": "n", "format": "json", "valueLocation": "a.b", "targetValue": fmt.Sprint(i + 1)}
		},
		"crons": func(i int) (string, m) {
			return "cron", m{"timezone": "Europe/Berlin", "start": fmt.Sprintf("%d 8 * * 1-5", i%60), "end": fmt.Sprintf("%d 18 * * 1-5", i/60), "desiredReplicas": "3"}
		},
	} {
		var batch []*scalers.Scaler
		for i := range 1000 {
			typ, of := metadata(i)
			batch = append(batch, decode(b, typ, of, at(cached)))
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := read(b.Context(), b, batch...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
