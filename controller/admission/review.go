package admission

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/checks"
	"github.com/freshet-io/freshet/controller/events"
)

// review answers whether an object may be stored. The error is that there is no
// answer.
//
// A change that asks for nothing new is never refused: labels, finalizers,
// status, and everything once the object is being deleted. Neither is one for
// what was wrong already: it is a warning then, so that somebody who sees to one
// thing is not held up by another.
func (v *Validator) review(ctx context.Context, k kind, req admission.Request) (admission.Response, error) {
	if req.SubResource != "" || (req.Operation != admissionv1.Create && req.Operation != admissionv1.Update) {
		return admission.Allowed(""), nil
	}
	if !v.watches(req) {
		return admission.Allowed(""), nil
	}
	obj, err := decode(k, req, req.Object)
	if err != nil {
		return admission.Errored(http.StatusUnprocessableEntity, err), nil
	}
	var old client.Object
	if req.Operation == admissionv1.Update {
		if old, err = decode(k, req, req.OldObject); err != nil {
			old = nil // whatever it was, it cannot be compared with
		}
	}
	if obj.GetDeletionTimestamp() != nil || (old != nil && k.same(old, obj)) {
		return admission.Allowed(""), nil
	}
	found, err := k.check(ctx, v, obj)
	if err != nil {
		return admission.Response{}, err
	}
	before := &checks.Result{}
	if old != nil {
		if before, err = k.check(ctx, v, old); err != nil {
			return admission.Response{}, err
		}
	}
	v.tell(obj, req, before, found)
	faults, known := divide(found.Faults, before.Faults)
	v.count(req, faults)
	return answer(faults, append(known, found.Warnings...)), nil
}

// watches tells whether the object is looked after: one of somebody else's may be
// what Freshet cannot read.
func (v *Validator) watches(req admission.Request) bool {
	if v.Watches == nil {
		return true
	}
	var labelled struct {
		Metadata struct {
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(req.Object.Raw, &labelled); err != nil {
		labelled.Metadata.Labels = nil // the review tells of it
	}
	return v.Watches(req.Kind.Kind, req.Namespace, labelled.Metadata.Labels)
}

func decode(k kind, req admission.Request, raw runtime.RawExtension) (client.Object, error) {
	obj := k.empty()
	if err := json.Unmarshal(raw.Raw, obj); err != nil {
		return nil, fmt.Errorf("reading the object: %w", err)
	}
	obj.SetNamespace(req.Namespace)
	return obj, nil
}

// divide parts faults into those that are new and those that were there before.
func divide(faults, before []checks.Finding) (fresh, known []checks.Finding) {
	for _, f := range faults {
		if slices.Contains(before, f) {
			known = append(known, f)
		} else {
			fresh = append(fresh, f)
		}
	}
	return fresh, known
}

func answer(faults, warnings []checks.Finding) admission.Response {
	response := admission.Allowed("")
	if len(faults) > 0 {
		texts := make([]string, len(faults))
		for i, f := range faults {
			texts[i] = f.String()
		}
		response = admission.Denied(strings.Join(texts, "; "))
	}
	for _, w := range warnings {
		response.Warnings = append(response.Warnings, w.String())
	}
	return response
}

// tell records an event on a ScaledObject whose settings have no effect, when
// that is new. It is one event: of several of one reason only the first would be
// kept.
func (v *Validator) tell(obj client.Object, req admission.Request, before, found *checks.Result) {
	so, ok := obj.(*kedav1alpha1.ScaledObject)
	if !ok || len(found.Faults) > 0 || (req.DryRun != nil && *req.DryRun) {
		return
	}
	var sentences []string
	for _, w := range found.Warnings {
		if w.Field == "" && !slices.Contains(before.Warnings, w) {
			sentences = append(sentences, w.Message)
		}
	}
	if len(sentences) > 0 {
		v.Events.Note(so, events.ScalerInfo, kedav1alpha1.JoinMessages(sentences...))
	}
}

func (v *Validator) count(req admission.Request, faults []checks.Finding) {
	if v.Counter == nil || req.Kind.Kind != kedav1alpha1.KindScaledObject {
		return
	}
	var reasons []string
	for _, f := range faults {
		if !slices.Contains(reasons, f.Reason) {
			reasons = append(reasons, f.Reason)
		}
	}
	v.Counter.Reviewed(req.Namespace, strings.ToLower(string(req.Operation)), reasons)
}

func equal(a, b any) bool { return equality.Semantic.DeepEqual(a, b) }

// sameScaledObject compares what is checked: the spec, and the annotations that
// rules speak of.
func sameScaledObject(a, b client.Object) bool {
	for _, key := range []string{kedav1alpha1.AnnotationTransferHPAOwnership, kedav1alpha1.AnnotationPausedReplicas} {
		was, had := a.GetAnnotations()[key]
		is, has := b.GetAnnotations()[key]
		if was != is || had != has {
			return false
		}
	}
	return equal(a.(*kedav1alpha1.ScaledObject).Spec, b.(*kedav1alpha1.ScaledObject).Spec)
}
