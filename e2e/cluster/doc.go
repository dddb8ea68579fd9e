// Package cluster builds and runs a real Kubernetes control plane on this
// machine: etcd, kube-apiserver, kube-controller-manager with the real HPA
// controller, kube-scheduler, and kwok, which makes pods run without a kubelet.
// It needs Linux and the Go toolchain; no container runtime and no root.
//
// [Programs] builds them from their Go modules, at the versions of this
// module's go.mod, into a cache folder: about ten minutes the first time,
// nothing afterwards. [Start] gives a cluster its folder, certificates and free
// loopback ports, starts the processes in order and returns when a pod could
// run. [Cluster.Stop] ends them. [Attach] finds a cluster that another process
// started.
//
// The files, in the order of a start:
//
//	programs.go    what is built, and where it is kept
//	lock.go        one process at a time builds, or starts in a folder
//	folder.go      the cluster's folder and the record of its processes
//	certs.go       authorities, certificates and keys
//	kubeconfig.go  the ways in: administrator, components, ServiceAccounts
//	components.go  the command line of each program
//	stages.go      what kwok does with nodes and pods
//	process.go     one running program
//	launch.go      the order of things and what each waits for
//	cluster.go     the cluster as its user sees it
//
// # What is real and what is not
//
// Authentication, RBAC, admission, aggregation, scheduling, garbage collection
// and autoscaling are the real ones. Containers are not: a scheduled pod is
// Running and Ready at once, a deleted one is gone at once, and there are no
// logs, exec or port-forward. A Job's pod completes as soon as it runs, or after
// the time in its annotation [RunForAnnotation].
//
// There is no cluster network. A plain process on this machine is reached
// through a Service of type ExternalName "localhost", which is enough for an
// APIService, or through a webhook's URL.
package cluster
