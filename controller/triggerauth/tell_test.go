package triggerauth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientevents "k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
)

// auth is an authentication of a generation; one with a faulty spec has an identity
// that cannot be.
func auth(cluster bool, uid types.UID, generation int64, faulty bool) client.Object {
	spec := kedav1alpha1.TriggerAuthenticationSpec{}
	if faulty {
		spec.PodIdentity = &kedav1alpha1.AuthPodIdentity{Provider: kedav1alpha1.PodIdentityProviderAws, RoleArn: new("a"), IdentityOwner: new(kedav1alpha1.IdentityOwnerWorkload)}
	}
	if cluster {
		return &kedav1alpha1.ClusterTriggerAuthentication{ObjectMeta: metav1.ObjectMeta{Name: "redis", UID: uid, Generation: generation}, Spec: spec}
	}
	return &kedav1alpha1.TriggerAuthentication{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "redis", UID: uid, Generation: generation}, Spec: spec}
}

// TestTell: what happens to authentications is told once, by the reasons of their
// kind, and what was there before is not told of again.
func TestTell(t *testing.T) {
	for _, cluster := range []bool{false, true} {
		kind, of := kedav1alpha1.KindTriggerAuthentication, func(uid types.UID, generation int64) client.Object { return auth(cluster, uid, generation, false) }
		if cluster {
			kind = kedav1alpha1.KindClusterTriggerAuthentication
		}
		for _, tc := range []struct {
			reason string
			live   client.Object
			event  any
			want   []string
		}{
			{"there when this replica begins", of("a", 1), event.CreateEvent{Object: of("a", 1), IsInInitialList: true}, nil},
			{"made", of("a", 1), event.CreateEvent{Object: of("a", 1)}, []string{"Normal KINDAdded KIND was added"}},
			{"made with a fault", of("a", 1), event.CreateEvent{Object: auth(cluster, "a", 1, true)},
				[]string{"Normal KINDAdded KIND was added", "Warning KINDFailed spec.podIdentity"}},
			{"changed", of("a", 2), event.UpdateEvent{ObjectOld: of("a", 1), ObjectNew: of("a", 2)}, []string{"Normal KINDUpdated KIND was changed"}},
			{"its status changed", of("a", 1), event.UpdateEvent{ObjectOld: of("a", 1), ObjectNew: of("a", 1)}, nil},
			{"made anew unseen", of("b", 1), event.UpdateEvent{ObjectOld: of("a", 1), ObjectNew: of("b", 1)},
				[]string{"Normal KINDDeleted KIND was deleted", "Normal KINDAdded KIND was added"}},
			{"deleted", nil, event.DeleteEvent{Object: of("a", 1)}, []string{"Normal KINDDeleted KIND was deleted"}},
			{"deleted, and there is another", of("b", 1), event.DeleteEvent{Object: of("a", 1)}, []string{"Normal KINDDeleted KIND was deleted"}},
			{"not selected any more", of("a", 1), event.DeleteEvent{Object: of("a", 1)}, nil},
		} {
			w := newWorld(t)
			if tc.live != nil {
				w = newWorld(t, tc.live)
			}
			sink := clientevents.NewFakeRecorder(10)
			r := &Reconciler{Client: w.Client, Live: w.Client, Cluster: cluster, Events: events.Recorder{Sink: sink}}
			r.happen(t, tc.event)
			got := drain(sink)
			if len(got) != len(tc.want) {
				t.Errorf("%s, %s: told %q, want %q", kind, tc.reason, got, tc.want)
				continue
			}
			for i, want := range tc.want {
				if want = strings.ReplaceAll(want, "KIND", kind); !strings.HasPrefix(got[i], want) {
					t.Errorf("%s, %s: told %q, want %q", kind, tc.reason, got[i], want)
				}
			}
		}
	}
}

// happen has the controller see an event, and look twice.
func (r *Reconciler) happen(t *testing.T, e any) {
	t.Helper()
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer q.ShutDown()
	switch changes := r.changes(); e := e.(type) {
	case event.CreateEvent:
		changes.Create(t.Context(), e, q)
	case event.UpdateEvent:
		changes.Update(t.Context(), e, q)
	case event.DeleteEvent:
		changes.Delete(t.Context(), e, q)
	}
	if q.Len() != 1 {
		t.Fatalf("%d are looked at, want 1", q.Len())
	}
	req, _ := q.Get()
	for range 2 {
		if _, err := r.Reconcile(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
}

func drain(sink *clientevents.FakeRecorder) []string {
	close(sink.Events)
	var all []string
	for e := range sink.Events {
		all = append(all, e)
	}
	return all
}

// TestTellLater: while the API server does not say whether an authentication was
// deleted, it is asked again; and that its status cannot be written is told.
func TestTellLater(t *testing.T) {
	down := errors.New("no answer")
	answers := []error{down, nil}
	w := newWorld(t)
	live := fake.NewClientBuilder().WithScheme(w.Scheme()).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			answer := answers[0]
			answers = answers[1:]
			if answer != nil {
				return answer
			}
			return c.Get(ctx, key, obj, opts...)
		},
	}).Build()
	sink := clientevents.NewFakeRecorder(10)
	r := &Reconciler{Client: w.Client, Live: live, Events: events.Recorder{Sink: sink}}
	r.gone.put(auth(false, "a", 1, false))
	req := ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "shop", Name: "redis"}}
	if _, err := r.Reconcile(t.Context(), req); !errors.Is(err, down) {
		t.Errorf("the first look says %v", err)
	}
	if _, err := r.Reconcile(t.Context(), req); err != nil {
		t.Error(err)
	}
	unwritable := newWorld(t, auth(false, "a", 1, false), user("shop", "orders", "/redis"))
	r.Client = interceptor.NewClient(unwritable.Client.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return down
		},
	})
	if _, err := r.Reconcile(t.Context(), req); !errors.Is(err, down) {
		t.Errorf("a status that cannot be written: %v", err)
	}
	want := []string{"Normal TriggerAuthenticationDeleted TriggerAuthentication was deleted", "Warning TriggerAuthenticationFailed Who uses it cannot be written: no answer"}
	if got := drain(sink); !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("told %q, want %q", got, want)
	}
}
