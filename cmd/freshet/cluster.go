package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
)

// plugin has help call the program as kubectl does when it is its plugin.
func plugin(path string) map[string]string {
	if filepath.Base(path) != "kubectl-freshet" {
		return nil
	}
	return map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl freshet"}
}

// access is how a command reaches the cluster: with the user's own kubeconfig and
// rights, found as kubectl finds them.
type access struct {
	rules     *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
}

func newAccess() *access { return &access{rules: clientcmd.NewDefaultClientConfigLoadingRules()} }

func (a *access) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&a.rules.ExplicitPath, "kubeconfig", "", "file that says how to reach the cluster; default: $KUBECONFIG, then ~/.kube/config, then the cluster this runs in")
	fs.StringVar(&a.overrides.CurrentContext, "context", "", "context of the kubeconfig; default: its current one")
	fs.StringVarP(&a.overrides.Context.Namespace, "namespace", "n", "", "namespace; default: that of the context")
}

// reach returns a client and the namespace that is meant where none is named.
func (a *access) reach() (rest.Interface, string, error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(a.rules, &a.overrides)
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("finding the cluster (set KUBECONFIG, or give --kubeconfig): %w", err)
	}
	config.QPS = -1 // a person looks
	config.UserAgent = "freshet-cli/" + buildVersion()
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, "", fmt.Errorf("making a client: %w", err)
	}
	return client.RESTClient(), namespace, nil
}

// ask reads explanations: the one of that name, or all of a namespace, of which "" is
// all, into answer.
func ask(ctx context.Context, client rest.Interface, namespace, name string, answer any) error {
	path := []string{"/apis", whyv1alpha1.GroupVersion.Group, whyv1alpha1.GroupVersion.Version}
	if namespace != "" {
		path = append(path, "namespaces", namespace)
	}
	if path = append(path, whyv1alpha1.Resource); name != "" {
		path = append(path, name)
	}
	result := client.Get().AbsPath(path...).Do(ctx)
	body, err := result.Raw()
	if err != nil {
		err = result.Error() // which reads the words of the server
	}
	switch {
	case apierrors.IsNotFound(err) && !strings.Contains(err.Error(), "ScaledObject"):
		return fmt.Errorf("the cluster does not serve %s, or there is no namespace %s: is Freshet installed, and does kubectl get apiservice v1alpha1.why.freshet.io say Available? %w",
			whyv1alpha1.GroupVersion, namespace, err)
	case apierrors.IsServiceUnavailable(err):
		return fmt.Errorf("Freshet cannot be reached through the API server: kubectl -n freshet get pods says whether it runs: %w", err) //nolint:staticcheck // a name begins the sentence
	case err != nil:
		return fmt.Errorf("asking why: %w", err)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// objectOf reads NAMESPACE/NAME or NAME.
func objectOf(arg, namespace string) (string, string, error) {
	ns, name, both := strings.Cut(arg, "/")
	switch {
	case !both && ns != "":
		return namespace, ns, nil
	case ns == "" || name == "" || strings.Contains(name, "/"):
		return "", "", fmt.Errorf("%q does not name an object: give NAMESPACE/NAME, or NAME with -n NAMESPACE", arg)
	}
	return ns, name, nil
}

// printJSON writes an answer as JSON.
func printJSON(cmd *cobra.Command, answer any) error {
	encoder := json.NewEncoder(cmd.OutOrStdout())
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}
