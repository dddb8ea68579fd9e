package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// identity is somebody who uses the API with a client certificate. Its name is
// that of its certificate and its kubeconfig.
type identity struct {
	name   string
	user   string
	groups []string
}

var (
	admin             = identity{"admin", "admin", []string{"system:masters"}}
	controllerManager = identity{"controller-manager", "system:kube-controller-manager", nil}
	scheduler         = identity{"scheduler", "system:kube-scheduler", nil}
	kwok              = identity{"kwok", "kwok", []string{"system:masters"}}
)

// writeKubeconfigs writes the administrator's kubeconfig, which is for people
// too, and those of the components.
func writeKubeconfigs(dir, server string) error {
	for _, id := range []identity{admin, controllerManager, scheduler, kwok} {
		cert, err := os.ReadFile(certPath(dir, id.name))
		if err != nil {
			return fmt.Errorf("reading the certificate of %s: %w", id.user, err)
		}
		key, err := os.ReadFile(keyPath(dir, id.name))
		if err != nil {
			return fmt.Errorf("reading the key of %s: %w", id.user, err)
		}
		auth := &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
		if err := writeKubeconfig(dir, kubeconfigPath(dir, id), server, id.user, "default", auth); err != nil {
			return err
		}
	}
	return nil
}

func kubeconfigPath(dir string, id identity) string {
	if id.name == admin.name {
		return filepath.Join(dir, adminName)
	}
	return filepath.Join(dir, kubeconfigsDir, id.name+".kubeconfig")
}

// writeKubeconfig writes a kubeconfig that needs no other file.
func writeKubeconfig(dir, path, server, user, namespace string, auth *clientcmdapi.AuthInfo) error {
	ca, err := os.ReadFile(certPath(dir, caName))
	if err != nil {
		return fmt.Errorf("reading the cluster's authority: %w", err)
	}
	const name = "freshet"
	config := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: server, CertificateAuthorityData: ca}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{user: auth},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: user, Namespace: namespace}},
		CurrentContext: name,
	}
	if err := clientcmd.WriteToFile(config, path); err != nil {
		return fmt.Errorf("writing the kubeconfig of %s: %w", user, err)
	}
	return nil
}
