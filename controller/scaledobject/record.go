package scaledobject

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/activation"
	"github.com/freshet-io/freshet/controller/ledger"
	"github.com/freshet-io/freshet/scalers/poll"
)

// record keeps a decision in the ledger when it is another than the last one.
func (r *Reconciler) record(so *kedav1alpha1.ScaledObject, triggers []*trigger, s *situation, d *activation.Decision, now time.Time) {
	if r.Ledger == nil {
		return
	}
	key := Key(client.ObjectKeyFromObject(so))
	to := s.state.Replicas
	digest := ledger.NewDigest().Text(string(d.Outcome)).Texts(d.By).Texts(d.Failed).Texts(d.StoodIn)
	if d.Replicas != nil {
		to = *d.Replicas
		digest = digest.Number(int64(to)).Number(int64(s.state.Replicas))
	}
	if r.Ledger.Same(key, whyv1alpha1.MakerFreshet, digest) {
		return
	}
	r.Ledger.Write(key, digest, &whyv1alpha1.Decision{
		At: ledger.Second(now), By: whyv1alpha1.MakerFreshet, Outcome: string(d.Outcome), From: s.state.Replicas, To: to,
		Why: d.Why, Inputs: inputs(s, triggers, d, now),
	})
}

// inputs are what the decision was made of.
func inputs(s *situation, triggers []*trigger, d *activation.Decision, now time.Time) []whyv1alpha1.Input {
	at := map[string]time.Time{}
	for _, t := range triggers {
		if t.slot != nil {
			for _, metric := range t.metrics() {
				at[metric] = t.slot.Reading().At
			}
		}
	}
	all := make([]whyv1alpha1.Input, len(s.triggers))
	for i := range s.triggers {
		t := &s.triggers[i]
		in := whyv1alpha1.Input{
			Metric: t.Metric, Target: t.Target, Total: t.Total, Active: t.Active, Failures: t.Failures, Asks: activation.Asks(t, &s.spec),
		}
		switch {
		case t.Err != nil:
			in.Error = t.Err.Error()
		case t.Known:
			in.Value = new(t.Value)
		}
		if read := at[t.Metric]; !read.IsZero() {
			in.AgeSeconds = max(0, now.Sub(read).Seconds())
		}
		for _, metric := range d.StoodIn {
			in.StandIn = in.StandIn || metric == t.Metric
		}
		all[i] = in
	}
	return all
}

// recordState keeps in the ledger that nothing is decided on the object, and why.
func (r *Reconciler) recordState(so *kedav1alpha1.ScaledObject, outcome, why string, from, to int32, now time.Time) {
	if r.Ledger == nil {
		return
	}
	key := Key(client.ObjectKeyFromObject(so))
	digest := ledger.NewDigest().Text(outcome).Text(why).Number(int64(to))
	if r.Ledger.Same(key, whyv1alpha1.MakerFreshet, digest) {
		return
	}
	r.Ledger.Write(key, digest, &whyv1alpha1.Decision{
		At: ledger.Second(now), By: whyv1alpha1.MakerFreshet, Outcome: outcome, From: from, To: to, Why: why,
	})
}

// lastCount is what the last decision came to.
func (r *Reconciler) lastCount(so *kedav1alpha1.ScaledObject) int32 {
	if r.Ledger == nil {
		return 0
	}
	last, _ := r.Ledger.Last(Key(client.ObjectKeyFromObject(so)))
	return last.To
}

// recordEnd keeps what is known of an object that is gone for a while.
func (r *Reconciler) recordEnd(key poll.Key, now time.Time) {
	if r.Ledger == nil {
		return
	}
	last, _ := r.Ledger.Last(key)
	r.Ledger.Delete(key, &whyv1alpha1.Decision{
		At: ledger.Second(now), By: whyv1alpha1.MakerFreshet, Outcome: "Deleted", From: last.To, To: last.To,
		Why: "the ScaledObject was deleted, or its labels are not selected any more",
	})
}
