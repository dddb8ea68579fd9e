package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// readerName is the ServiceAccount that reads external metrics.
const readerName = "metrics-reader"

// makeReader makes a ServiceAccount that may read external metrics, and nothing
// else, and writes its token to a file.
func (s *stage) makeReader(ctx context.Context) error {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: readerName, Namespace: metav1.NamespaceDefault}}
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: readerName},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"external.metrics.k8s.io"}, Resources: []string{"*"}, Verbs: []string{"get", "list"}}},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: readerName},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: readerName},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: readerName, Namespace: account.Namespace}},
	}
	for _, obj := range []client.Object{account, role, binding} {
		if err := s.client.Create(ctx, obj); err != nil {
			return fmt.Errorf("creating %T: %w", obj, err)
		}
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](8 * 60 * 60)}}
	if err := s.client.SubResource("token").Create(ctx, account, request); err != nil {
		return fmt.Errorf("requesting its token: %w", err)
	}
	s.readerToken = filepath.Join(s.dir, "reader.token")
	if err := os.WriteFile(s.readerToken, []byte(request.Status.Token), 0o600); err != nil {
		return fmt.Errorf("writing its token: %w", err)
	}
	return nil
}
