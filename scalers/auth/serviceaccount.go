package auth

import (
	"context"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// readTokens requests tokens of ServiceAccounts. A token is renewed after 80 %
// of its life.
func readTokens(ctx context.Context, q *Request) error {
	life := orDefault(q.resolver.TokenLife, time.Hour)
	for _, ref := range q.Spec.BoundServiceAccountToken {
		answer, err := q.Ask(ctx, Question{
			Key: param.FingerprintOf("boundServiceAccountToken", q.Namespace, ref.ServiceAccountName, life),
			Ask: func(ctx context.Context) (Answer, error) {
				now := q.Now()
				token, expires, err := q.Token(ctx, ref.ServiceAccountName, life, "boundServiceAccountToken")
				if err != nil {
					return Answer{}, err
				}
				return Answer{
					Values: map[string]param.Secret{"token": token},
					Next:   now.Add(expires.Sub(now) * 4 / 5), Expires: expires,
				}, nil
			},
		})
		if err != nil {
			return err
		}
		q.Set(ref.Parameter, answer.Values["token"].Reveal())
	}
	return nil
}

// Token requests a token of a ServiceAccount of the request's namespace that
// lives for about life. asker is the field that names the ServiceAccount.
func (q *Request) Token(ctx context.Context, name string, life time.Duration, asker string) (token param.Secret, expires time.Time, err error) {
	if q.resolver.Tokens == nil {
		return token, expires, scalers.ConfigurationError("%s needs a token of ServiceAccount %q, and there is no cluster to ask", asker, name)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: q.Namespace, Name: name}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(life.Seconds()))}}
	err = q.resolver.Tokens.SubResource("token").Create(ctx, account, request)
	switch {
	case apierrors.IsForbidden(err):
		return token, expires, scalers.AuthenticationError("%s needs a token of ServiceAccount %q in namespace %s, which Freshet may not request: "+
			"grant its ServiceAccount create on serviceaccounts/token", asker, name, q.Namespace)
	case err != nil:
		return token, expires, explainGet(err, q.Namespace, name, "ServiceAccount", asker)
	case request.Status.Token == "":
		return token, expires, scalers.UnavailableError("the cluster gave ServiceAccount %q an empty token", name)
	}
	return param.NewSecret(request.Status.Token), request.Status.ExpirationTimestamp.Time, nil
}

// annotation reads an annotation of a ServiceAccount of the workload's
// namespace, live: no watch tells of its change.
func (q *Request) annotation(ctx context.Context, account, key, asker string) (string, error) {
	namespace := q.workload.Namespace
	live := q.resolver.Live
	if live == nil {
		live = q.resolver.Reader
	}
	answer, err := q.Ask(ctx, Question{
		Key: param.FingerprintOf("annotation", namespace, account, key),
		Ask: func(ctx context.Context) (Answer, error) {
			var sa corev1.ServiceAccount
			err := live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: account}, &sa)
			if err := explainGet(err, namespace, account, "ServiceAccount", asker); err != nil {
				return Answer{}, err
			}
			value := sa.Annotations[key]
			if value == "" {
				return Answer{}, scalers.ConfigurationError("%s takes the role of ServiceAccount %q in namespace %s, which has no annotation %s: "+
					"annotate it with the ARN of a role", asker, account, namespace, key)
			}
			return Answer{Values: map[string]param.Secret{"value": param.NewSecret(value)}}, nil
		},
	})
	return answer.Values["value"].Reveal(), err
}
