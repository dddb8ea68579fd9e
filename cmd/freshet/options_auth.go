package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// authFromEnv takes what concerns authentications from the environment.
func (o *options) authFromEnv(getenv func(string) string) {
	o.clusterNamespace = getenv("KEDA_CLUSTER_OBJECT_NAMESPACE")
	switch text := getenv("KEDA_RESTRICT_SECRET_ACCESS"); text {
	case "true":
		o.restrictSecrets = true
	case "", "false":
	default:
		o.envFaults = append(o.envFaults, fmt.Errorf("environment variable KEDA_RESTRICT_SECRET_ACCESS is %q: use true or false", text))
	}
	if text := getenv("KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY"); text != "" {
		life, err := time.ParseDuration(text)
		if err != nil {
			o.envFaults = append(o.envFaults, fmt.Errorf("environment variable KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY is %q, which is not a duration such as 1h", text))
		} else {
			o.tokenLife = life
		}
	}
}

func (o *options) addAuthFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.clusterNamespace, "cluster-object-namespace", o.clusterNamespace, "namespace of what cluster-scoped authentications name; default: Freshet's own (KEDA_CLUSTER_OBJECT_NAMESPACE)")
	fs.BoolVar(&o.restrictSecrets, "restrict-secret-access", o.restrictSecrets, "read no Secrets but those of Freshet's own namespace (KEDA_RESTRICT_SECRET_ACCESS)")
	fs.StringVar(&o.authFiles, "filepath-auth-root-path", "", "folder of the files that cluster-scoped authentications name; default: none may")
	fs.DurationVar(&o.tokenLife, "bound-token-expiry", o.tokenLife, "life of the ServiceAccount tokens that authentications request, 1h to 6h (KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY)")
}

// validateAuth adds the faults of what concerns authentications.
func (o *options) validateAuth(add func(format string, args ...any)) {
	if problems := validation.IsDNS1123Label(o.clusterNamespace); o.clusterNamespace != "" && len(problems) > 0 {
		add("--cluster-object-namespace is %q: %s", o.clusterNamespace, problems[0])
	}
	if o.authFiles != "" {
		if info, err := os.Stat(o.authFiles); err != nil {
			add("--filepath-auth-root-path: %w", err)
		} else if !info.IsDir() {
			add("--filepath-auth-root-path is %q, which is not a folder", o.authFiles)
		}
	}
	if o.tokenLife < time.Hour || o.tokenLife > 6*time.Hour {
		add("--bound-token-expiry is %s, which is not between 1h and 6h", o.tokenLife)
	}
}

// clusterObjects is the namespace of what cluster-scoped authentications name.
func (o *options) clusterObjects() string {
	if o.clusterNamespace != "" {
		return o.clusterNamespace
	}
	return o.namespace
}
