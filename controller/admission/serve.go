package admission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// limit bounds a review. All of it is work in memory: what takes longer is stuck.
const limit = 5 * time.Second

// handler serves the webhook of a kind. Where there is no answer, for the cache
// is not filled yet or the program has a fault, the call fails as if the webhook
// were down, so that its failurePolicy decides: a refusal would block everybody.
func (v *Validator) handler(k kind) http.Handler {
	hook := &admission.Webhook{Handler: admission.HandlerFunc(func(ctx context.Context, req admission.Request) admission.Response {
		response, err := v.safely(ctx, k, req)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "reviewing", "kind", req.Kind.Kind, "namespace", req.Namespace, "name", req.Name)
			*ctx.Value(failureKey{}).(*error) = err
			return admission.Errored(http.StatusInternalServerError, err)
		}
		return response
	})}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !v.ready.Load() {
			http.Error(w, "the cache is not filled yet", http.StatusServiceUnavailable)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		var failure error
		answer := &buffered{header: w.Header()}
		hook.ServeHTTP(answer, r.WithContext(context.WithValue(ctx, failureKey{}, &failure)))
		if failure != nil {
			http.Error(w, failure.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(answer.Bytes()) // whoever asked may be gone
	})
}

// failureKey is where the context of a review keeps why there is no answer.
type failureKey struct{}

// buffered keeps an answer back.
type buffered struct {
	bytes.Buffer
	header http.Header
}

// Header is that of the answer.
func (b *buffered) Header() http.Header { return b.header }

// WriteHeader does nothing: an answer that is no failure has status 200.
func (b *buffered) WriteHeader(int) {}

// safely reviews, with a panic as an error.
func (v *Validator) safely(ctx context.Context, k kind, req admission.Request) (response admission.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reviewing panicked: %v", p)
		}
	}()
	if response, err = v.review(ctx, k, req); err == nil && ctx.Err() != nil {
		err = errors.New("reviewing took too long")
	}
	return response, err
}
