// Package cluster runs a real Kubernetes control plane on this machine: etcd,
// kube-apiserver, kube-controller-manager with the real HPA controller,
// kube-scheduler, and kwok, which makes pods run without a kubelet.
//
// The programs are built from their Go modules, at the versions of go.mod, into
// a cache folder: about ten minutes the first time, nothing afterwards. They
// listen on free loopback ports, and everything that [Start] starts
// [Cluster.Stop] ends.
package cluster
