package cluster

import (
	"fmt"
	"net"
)

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on. It is not
// reserved: whoever uses it must expect that it is taken meanwhile.
func FreePort() (int, error) {
	ports, err := FreePorts(1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}

// FreePorts returns n different ports, each as [FreePort] does.
func FreePorts(n int) ([]int, error) {
	found := make([]int, 0, n)
	for range n {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // held until all are found, so that they differ
		found = append(found, l.Addr().(*net.TCPAddr).Port)
	}
	return found, nil
}

// ports are those a cluster listens on; kwok needs none.
type ports struct {
	Etcd              int `json:"etcd"`
	EtcdPeer          int `json:"etcdPeer"`
	APIServer         int `json:"apiServer"`
	ControllerManager int `json:"controllerManager"`
	Scheduler         int `json:"scheduler"`
}

func choosePorts() (ports, error) {
	p, err := FreePorts(5)
	if err != nil {
		return ports{}, err
	}
	return ports{p[0], p[1], p[2], p[3], p[4]}, nil
}

func secureURL(port int) string { return fmt.Sprintf("https://127.0.0.1:%d", port) }
