// Package crd holds the CustomResourceDefinitions, as they are installed.
package crd

import "embed"

// Files are the manifests of the definitions.
//
//go:embed keda.sh_*.yaml
var Files embed.FS
