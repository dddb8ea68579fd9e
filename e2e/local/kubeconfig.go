package local

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ServiceAccountKubeconfig writes to path a kubeconfig for the cluster of
// config whose only credential is a token of Freshet's own ServiceAccount.
func ServiceAccountKubeconfig(ctx context.Context, config *rest.Config, path string) error {
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	seconds := int64(8 * 60 * 60)
	token, err := set.CoreV1().ServiceAccounts(Namespace).CreateToken(ctx, "freshet",
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("requesting a token of ServiceAccount %s/freshet: %w", Namespace, err)
	}
	out := clientcmdapi.NewConfig()
	out.Clusters["cluster"] = &clientcmdapi.Cluster{
		Server: config.Host, CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData,
		InsecureSkipTLSVerify: config.Insecure,
	}
	out.AuthInfos["freshet"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	out.Contexts["freshet"] = &clientcmdapi.Context{Cluster: "cluster", AuthInfo: "freshet"}
	out.CurrentContext = "freshet"
	if err := clientcmd.WriteToFile(*out, path); err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return nil
}
