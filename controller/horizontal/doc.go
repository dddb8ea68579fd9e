// Package horizontal decides as the HorizontalPodAutoscaler controller of
// Kubernetes 1.37 does, and tells every step it took: what each metric asks
// for, which one won, what held it back, and for how long.
//
// [Decide] is one sync of the controller as a pure function: of the HPA
// ([Spec]), of what the controller read ([Input]), of what it remembers of
// earlier syncs ([Memory]) and of the time. The steps in their order, each in a
// file of its own:
//
//  1. entry.go: no target, zero replicas, or a count outside the bounds: no
//     metric is computed.
//  2. ratio.go: what a metric of all replicas together asks for, and the
//     tolerance; pods.go and gauge.go: one that has a value for each pod.
//  3. choose.go: the most that any asks for, and what failing metrics forbid.
//  4. stabilize.go: the stabilization windows.
//  5. policies.go, limit.go: the scaling policies, the maximum and the minimum.
//  6. conditions.go: the conditions that the controller writes.
//
// [SpecOf] fills in the defaults of Kubernetes, [PodOf] and [RequestsOf] tell of
// pods what the controller looks at, and [UpFrom] is the first step up alone.
//
// Numbers are thousandths ("milli"), as the controller computes them.
//
// It is checked against the controller itself, in the e2e module: its own code
// in one process on a clock of the test's, over thousands of random syncs of all
// kinds of metrics, and the real kube-controller-manager on external metrics.
// Metrics of pods are in the first check only: the local control plane has no
// metrics.k8s.io. See docs/decisions/0024-the-hpa-in-a-function.md.
package horizontal
