package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/scalers"
)

// cluster is a part of the cluster's objects, as the host's cache has them. What
// fails in one part, such as a right that is missing, leaves the others alone.
type cluster struct {
	// What the objects are, and the Namespace that they are in, or "" for all.
	What, Namespace string

	reader client.Reader
}

// String names the part.
func (c cluster) String() string {
	if c.Namespace == "" {
		return "the cluster's " + c.What
	}
	return fmt.Sprintf("the %s of namespace %s", c.What, c.Namespace)
}

// Open needs no connection but that of the cache.
func (c cluster) Open(context.Context) (*clusterConn, error) {
	if c.reader == nil {
		return nil, scalers.UnavailableError("there is no cluster to read from")
	}
	return &clusterConn{Reader: c.reader, what: c.What}, nil
}

// clusterConn reads the cache.
type clusterConn struct {
	client.Reader
	changes
	what string
}

// Close ends what listens to changes.
func (c *clusterConn) Close() error {
	c.deafen()
	return nil
}

// explain gives an error of the cache, or of the API server behind it, its class.
func (c *clusterConn) explain(err error) error {
	var early *cache.ErrCacheNotStarted
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return scalers.AuthenticationError("Freshet may not read %s: give its ServiceAccount the right to get, list and watch them: %w", c.what, err)
	case apierrors.IsTimeout(err), errors.As(err, &early):
		return scalers.UnavailableError("the cluster's %s are not known yet: if that lasts, "+
			"give Freshet's ServiceAccount the right to list and watch them: %w", c.what, err)
	case strings.Contains(err.Error(), "unknown namespace for the cache"): // such errors have no type
		return scalers.ConfigurationError("Freshet does not read them in this namespace: it is restricted to others: %w", err)
	}
	return scalers.UnavailableError("%w", err)
}
