package explanations

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/endpoints/request"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// allowFor is how long an answer of the API server on who may read what is good.
const allowFor = 10 * time.Second

// Access lets those read an explanation who may read the object that it is of. The
// API server, asked by a SubjectAccessReview, says who may.
type Access struct{ reviewer reviewer }

// reviewer is who says so.
type reviewer interface {
	Authorize(context.Context, authorizer.Attributes) (authorizer.Decision, string, error)
}

// NewAccess asks by the client.
func NewAccess(client authorizationv1.AuthorizationV1Interface) (*Access, error) {
	a, err := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: client, AllowCacheTTL: allowFor, DenyCacheTTL: allowFor,
		WebhookRetryBackoff: &wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Steps: 3},
	}.New()
	if err != nil {
		return nil, fmt.Errorf("preparing access reviews: %w", err)
	}
	return &Access{a}, nil
}

// scaledObjects is what the right is about.
var scaledObjects = schema.GroupResource{Group: kedav1alpha1.GroupName, Resource: "scaledobjects"}

// Check returns nil when the caller may read the ScaledObject of that name, or list
// those of the namespace when name is "". The error is one of the API's.
func (a *Access) Check(ctx context.Context, verb, namespace, name string) error {
	user, ok := request.UserFrom(ctx)
	if !ok {
		return apierrors.NewUnauthorized("who asks is not known")
	}
	decision, reason, err := a.reviewer.Authorize(ctx, authorizer.AttributesRecord{
		User: user, Verb: verb, Namespace: namespace, Name: name, ResourceRequest: true,
		APIGroup: scaledObjects.Group, APIVersion: kedav1alpha1.GroupVersion.Version, Resource: scaledObjects.Resource,
	})
	switch {
	case err != nil:
		return apierrors.NewInternalError(fmt.Errorf("asking who may read ScaledObjects: %w", err))
	case decision == authorizer.DecisionAllow:
		return nil
	}
	where := "of all namespaces"
	if namespace != "" {
		where = "in the namespace " + namespace
	}
	if reason != "" {
		reason = ": " + reason
	}
	return apierrors.NewForbidden(scaledObjects, name, fmt.Errorf("%s may not %s ScaledObjects %s, which explaining them takes%s", user.GetName(), verb, where, reason))
}
