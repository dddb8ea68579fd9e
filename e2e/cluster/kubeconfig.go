package cluster

import (
	"context"
	"fmt"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func kubeconfigPath(dir, name string) string { return filepath.Join(dir, name+".kubeconfig") }

// writeKubeconfigs writes one kubeconfig for each identity.
func (c *Cluster) writeKubeconfigs() error {
	for _, id := range identities {
		user := &clientcmdapi.AuthInfo{
			ClientCertificate: filepath.Join(c.Folder, "pki", id.name+".crt"),
			ClientKey:         filepath.Join(c.Folder, "pki", id.name+".key"),
		}
		if err := c.writeKubeconfig(kubeconfigPath(c.Folder, id.name), id.name, user); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) writeKubeconfig(path, name string, user *clientcmdapi.AuthInfo) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["freshet-local"] = &clientcmdapi.Cluster{
		Server: c.Server, CertificateAuthority: filepath.Join(c.Folder, caCert),
	}
	config.AuthInfos[name] = user
	config.Contexts["freshet-local"] = &clientcmdapi.Context{Cluster: "freshet-local", AuthInfo: name}
	config.CurrentContext = "freshet-local"
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("writing the kubeconfig of %s: %w", name, err)
	}
	return nil
}

// ServiceAccountKubeconfig writes a kubeconfig whose only credential is a token
// of that ServiceAccount, good for eight hours, and returns its path.
func (c *Cluster) ServiceAccountKubeconfig(ctx context.Context, namespace, name string) (string, error) {
	set, err := c.clientset()
	if err != nil {
		return "", err
	}
	seconds := int64(8 * 60 * 60)
	token, err := set.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("requesting a token of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	path := kubeconfigPath(c.Folder, namespace+"-"+name)
	return path, c.writeKubeconfig(path, name, &clientcmdapi.AuthInfo{Token: token.Status.Token})
}
