package main

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const workBefore = `# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 10
# TYPE apiserver_request_total counter
apiserver_request_total{code="201",group="keda.sh",resource="scaledobjects",subresource="",verb="POST"} 5
apiserver_request_total{code="0",group="keda.sh",resource="scaledobjects",subresource="",verb="WATCH"} 3
`

const workAfter = `# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 12.5
# TYPE apiserver_request_total counter
apiserver_request_total{code="201",group="keda.sh",resource="scaledobjects",subresource="",verb="POST"} 105
apiserver_request_total{code="0",group="keda.sh",resource="scaledobjects",subresource="",verb="WATCH"} 300
apiserver_request_total{code="200",group="keda.sh",resource="scaledobjects",subresource="status",verb="PATCH"} 100
apiserver_request_total{code="409",group="keda.sh",resource="scaledobjects",subresource="status",verb="PATCH"} 50
apiserver_request_total{code="200",group="coordination.k8s.io",resource="leases",subresource="",verb="PUT"} 2
apiserver_request_total{code="200",group="",resource="",subresource="",verb="GET"} 40
# TYPE apiserver_admission_webhook_request_total counter
apiserver_admission_webhook_request_total{name="scaledobjects.validate.keda.sh",operation="CREATE",code="200"} 100
`

const ownAfter = `# TYPE rest_client_requests_total counter
rest_client_requests_total{code="200",host="h",method="PATCH"} 150
rest_client_requests_total{code="201",host="h",method="POST"} 200
`

// TestWork: of two looks at the API server's metrics the figures for each object, without
// watches, what is not about resources, and what is not done for each object.
func TestWork(t *testing.T) {
	look := func(text, own string) *work {
		w, err := workOf([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if w.own, err = sums([]byte(own), clientMetric, func(l map[string]string) string { return l["method"] }); err != nil {
			t.Fatal(err)
		}
		return w
	}
	before, after := look(workBefore, ""), look(workAfter, ownAfter)
	before.used = map[string]time.Duration{"etcd": time.Second}
	after.used = map[string]time.Duration{"etcd": 3 * time.Second, measuredName: time.Second}
	got := after.since(before, 100)
	want := &workFigures{CPU: 25, Total: 3.52, Own: 3.5, Used: map[string]float64{"etcd": 20, measuredName: 10}, Requests: map[string]float64{
		"POST scaledobjects": 1, "PATCH scaledobjects/status": 1.5, "webhook scaledobjects.validate.keda.sh": 1,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("work (-want +got):\n%s", diff)
	}
	for reason, text := range map[string]string{"nothing": "", "no CPU": "# TYPE apiserver_request_total counter\n", "no requests": "process_cpu_seconds_total 3\n"} {
		if _, err := workOf([]byte(text)); !errors.Is(err, errNotTold) {
			t.Errorf("%s is told: %v", reason, err)
		}
	}
	if _, err := workOf([]byte("{")); err == nil {
		t.Error("what is no metrics is no error")
	}
}

func TestWholeIntervals(t *testing.T) {
	for window, want := range map[time.Duration]time.Duration{
		20 * time.Second: 30 * time.Second, 30 * time.Second: 30 * time.Second, time.Minute: time.Minute, 61 * time.Second: 90 * time.Second,
	} {
		if got := wholeIntervals(window, 30*time.Second); got != want {
			t.Errorf("a window of %s becomes %s, want %s", window, got, want)
		}
	}
}
