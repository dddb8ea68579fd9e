package why_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/why"
)

func explained(namespace, name string, state whyv1alpha1.State, replicas *int32, asks ...int32) whyv1alpha1.Explanation {
	e := whyv1alpha1.Explanation{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Object: whyv1alpha1.Object{State: state, Max: 10},
		Target: whyv1alpha1.Target{Replicas: replicas}, Verdict: whyv1alpha1.Verdict{Now: strings.Repeat("so it is ", 20)},
	}
	for _, n := range asks {
		e.Readings = append(e.Readings, whyv1alpha1.Reading{Asks: &n})
	}
	return e
}

func all() []whyv1alpha1.Explanation {
	return []whyv1alpha1.Explanation{
		explained("b", "idle", whyv1alpha1.StateIdle, new(int32(0)), 0),
		explained("b", "busy", whyv1alpha1.StateScaling, new(int32(7)), 3, 7, 2),
		explained("a", "wrong", whyv1alpha1.StateFaulty, nil),
		explained("a", "idle", whyv1alpha1.StateIdle, new(int32(1))),
	}
}

func TestSort(t *testing.T) {
	for by, want := range map[string]string{
		"state": "a/wrong b/busy a/idle b/idle", "name": "a/idle a/wrong b/busy b/idle", "replicas": "b/busy a/idle b/idle a/wrong",
	} {
		objects := all()
		why.Sort(objects, by)
		var got []string
		for _, e := range objects {
			got = append(got, e.Namespace+"/"+e.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("by %s they are %q, want %q", by, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	objects := all()
	why.Sort(objects, "state")
	why.Table(&b, objects, 3, 74)
	want := `NAMESPACE  NAME   STATE    REPLICAS  WANTED  MIN  MAX  WHY
a          wrong  Faulty   –         –       0    10   so it is so it is so it…
b          busy   Scaling  7         7       0    10   so it is so it is so it…
a          idle   Idle     1         –       0    10   so it is so it is so it…
… and 1 more
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWriters(t *testing.T) {
	at := func(minutes int) *metav1.Time {
		return new(metav1.NewTime(now.Add(time.Duration(minutes) * time.Minute)))
	}
	entry := func(manager, sub string, time *metav1.Time, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: sub, Time: time, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const writes = `{"f:spec":{"f:replicas":{},"f:template":{}}}`
	for name, tc := range map[string]struct {
		fields []metav1.ManagedFieldsEntry
		want   string
		who    whyv1alpha1.Maker
	}{
		"nobody":         {nil, "", ""},
		"another field":  {[]metav1.ManagedFieldsEntry{entry("a", "", at(1), `{"f:spec":{"f:template":{}}}`), {Manager: "empty"}, entry("bad", "", at(2), `{`)}, "", ""},
		"the last":       {[]metav1.ManagedFieldsEntry{entry("a", "", at(1), writes), entry("b", "", at(3), writes), entry("c", "", at(2), writes)}, "b", whyv1alpha1.MakerOther},
		"without a time": {[]metav1.ManagedFieldsEntry{entry("kube-controller-manager", "scale", nil, writes), entry("b", "", at(3), writes)}, "kube-controller-manager", whyv1alpha1.MakerHPA},
		"Freshet":        {[]metav1.ManagedFieldsEntry{entry("b", "", at(3), writes), entry("freshet", "scale", nil, writes)}, "freshet", whyv1alpha1.MakerFreshet},
		"not the HPA":    {[]metav1.ManagedFieldsEntry{entry("kube-controller-manager", "", at(3), writes)}, "kube-controller-manager", whyv1alpha1.MakerOther},
	} {
		t.Run(name, func(t *testing.T) {
			got := why.ReplicasWriter(tc.fields)
			if (got == nil) != (tc.want == "") || got != nil && (got.Manager != tc.want || got.Who != tc.who) {
				t.Errorf("it was %+v, want %q, %s", got, tc.want, tc.who)
			}
		})
	}
	editors := why.Editors([]metav1.ManagedFieldsEntry{
		entry("freshet", "", at(1), writes), entry("kube-controller-manager", "status", at(2), writes),
		entry("kubectl-edit", "", at(3), `{"f:spec":{"f:maxReplicas":{},"f:behavior":{}}}`), entry("labeller", "", at(4), `{"f:metadata":{"f:labels":{}}}`),
	})
	if len(editors) != 1 || editors[0].Manager != "kubectl-edit" || strings.Join(editors[0].Fields, " ") != "spec.behavior spec.maxReplicas" {
		t.Errorf("the HPA was edited by %+v", editors)
	}
}
