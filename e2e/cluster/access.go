package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenLifetime outlasts any run of a test or a demonstration.
const tokenLifetime = 8 * time.Hour

// RESTConfig is the administrator's configuration of a client that does not
// throttle itself. Each call returns a new one, which the caller may change.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the administrator's kubeconfig: %w", err)
	}
	config.QPS = -1
	return config, nil
}

// client is the administrator's.
func (c *Cluster) client() (*kubernetes.Clientset, error) {
	config, err := c.RESTConfig()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return client, nil
}

// ServiceAccountKubeconfig writes a kubeconfig whose only credential is a fresh
// token of a ServiceAccount, good for eight hours, and whose namespace is that of
// the ServiceAccount, and returns its path below the cluster's folder. The
// ServiceAccount must exist; when it does not, the error is the API's NotFound.
func (c *Cluster) ServiceAccountKubeconfig(ctx context.Context, namespace, name string) (string, error) {
	config, err := c.RESTConfig()
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.dir, kubeconfigsDir, "serviceaccount-"+namespace+"-"+name+".kubeconfig")
	return path, TokenKubeconfig(ctx, config, namespace, name, path)
}

// TokenKubeconfig writes to path what ServiceAccountKubeconfig writes, for the
// cluster of config, whose user must be allowed to request tokens.
func TokenKubeconfig(ctx context.Context, config *rest.Config, namespace, name, path string) error {
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	seconds := int64(tokenLifetime.Seconds())
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := set.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("requesting a token of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	out := clientcmdapi.NewConfig()
	out.Clusters["cluster"] = &clientcmdapi.Cluster{
		Server: config.Host, CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData,
		InsecureSkipTLSVerify: config.Insecure,
	}
	out.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: answer.Status.Token}
	out.Contexts["cluster"] = &clientcmdapi.Context{Cluster: "cluster", AuthInfo: name, Namespace: namespace}
	out.CurrentContext = "cluster"
	if err := clientcmd.WriteToFile(*out, path); err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return nil
}

// Kubectl runs kubectl as the administrator and returns what it printed. The
// error holds what it complained of.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) ([]byte, error) {
	return c.KubectlStdin(ctx, "", args...)
}

// KubectlStdin is Kubectl with something to read, for arguments like "-f", "-".
func (c *Cluster) KubectlStdin(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.KubectlPath(), args...)
	// Its cache of the API goes by host and port, which another cluster may have had.
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig(), "KUBECACHEDIR="+filepath.Join(c.dir, kubectlDir))
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("running kubectl %s: %w: %s", strings.Join(args, " "), err, tail(stderr.Bytes()))
	}
	return out, nil
}

// KubectlPath is the path of the kubectl that belongs to this cluster.
func (c *Cluster) KubectlPath() string { return filepath.Join(c.programs, "kubectl") }
