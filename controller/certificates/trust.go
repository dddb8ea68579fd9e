package certificates

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// trust tells the API server whom to trust, and whether it had to be told. What is
// not there is no failure: it may come later.
func (k *Keeper) trust(ctx context.Context, authorities []byte) (changed bool, err error) {
	var errs []error
	told := func(one bool, err error) {
		changed = changed || one
		errs = append(errs, err)
	}
	if k.Webhooks != "" {
		told(k.tell(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{}, k.Webhooks, func(obj client.Object) bool {
			return trustWebhooks(obj.(*admissionregistrationv1.ValidatingWebhookConfiguration), authorities)
		}))
	}
	for _, name := range k.APIServices {
		api := &unstructured.Unstructured{}
		api.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"})
		told(k.tell(ctx, api, name, func(client.Object) bool {
			return k.ours(api) && trustAPIService(api, authorities)
		}))
	}
	return changed, errors.Join(errs...)
}

// tell reads the object of that name and writes it when edit changed it.
func (k *Keeper) tell(ctx context.Context, obj client.Object, name string, edit func(client.Object) bool) (changed bool, err error) {
	const attempts = 5
	for range attempts {
		if err = k.Client.Get(ctx, client.ObjectKey{Name: name}, obj); err != nil {
			if apierrors.IsNotFound(err) {
				return false, nil
			}
			return false, fmt.Errorf("reading whom %s trusts: %w", name, err)
		}
		before := obj.DeepCopyObject().(client.Object)
		if !edit(obj) {
			return false, nil
		}
		err = k.Client.Patch(ctx, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
		if err == nil {
			return true, nil
		}
		if !apierrors.IsConflict(err) {
			break
		}
	}
	return false, fmt.Errorf("telling %s whom to trust: %w", name, err)
}

func trustWebhooks(config *admissionregistrationv1.ValidatingWebhookConfiguration, authorities []byte) (changed bool) {
	for i := range config.Webhooks {
		if c := &config.Webhooks[i].ClientConfig; !bytes.Equal(c.CABundle, authorities) {
			c.CABundle, changed = authorities, true
		}
	}
	return changed
}

// ours tells whether an APIService is served by a Service that the certificate is
// made for. Another program's, such as KEDA's before a change over, is not told
// whom to trust: it would not be reached any more.
func (k *Keeper) ours(api *unstructured.Unstructured) bool {
	namespace, _, _ := unstructured.NestedString(api.Object, "spec", "service", "namespace")
	name, _, _ := unstructured.NestedString(api.Object, "spec", "service", "name")
	host := name + "." + namespace + ".svc"
	if slices.Contains(k.Names, host) {
		delete(k.foreign, api.GetName())
		return true
	}
	if k.foreign[api.GetName()] != host {
		k.foreign[api.GetName()] = host
		k.Log.Info("an APIService leads to another Service: what it trusts is left as it is",
			"apiservice", api.GetName(), "service", namespace+"/"+name)
	}
	return false
}

// trustAPIService has the API server verify who answers. An APIService cannot both
// name authorities and pass over the verification.
func trustAPIService(api *unstructured.Unstructured, authorities []byte) (changed bool) {
	bundle := base64.StdEncoding.EncodeToString(authorities)
	held, _, _ := unstructured.NestedString(api.Object, "spec", "caBundle")
	blind, _, _ := unstructured.NestedBool(api.Object, "spec", "insecureSkipTLSVerify")
	if held == bundle && !blind {
		return false
	}
	spec, ok := api.Object["spec"].(map[string]any)
	if !ok {
		return false
	}
	spec["caBundle"] = bundle
	delete(spec, "insecureSkipTLSVerify")
	return true
}
