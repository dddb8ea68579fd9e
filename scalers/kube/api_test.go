package kube_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

func init() {
	klog.SetLogger(logr.Discard()) // of watches that fail as they should
	ctrllog.SetLogger(logr.Discard())
}

// api is an API server that serves lists and watches of core kinds, as far as a
// cache asks for them.
type api struct {
	server *httptest.Server

	mu      sync.Mutex
	objects map[string][]client.Object // by resource, such as pods
	version int
	streams map[string][]chan metav1.WatchEvent
	asked   []string // the resources that were listed
	// mode is "" to serve, "silent" to never answer, or "forbid".
	mode string
	// changed is closed when the mode does.
	changed chan struct{}
}

// newAPI starts an API server, and a cache in front of it.
func newAPI(t testing.TB) (*api, cache.Cache) {
	t.Helper()
	a := &api{objects: map[string][]client.Object{}, streams: map[string][]chan metav1.WatchEvent{}, version: 1, changed: make(chan struct{})}
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"Pod", "ConfigMap", "Secret"} {
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	c, err := cache.New(&rest.Config{Host: a.server.URL, QPS: -1}, cache.Options{Scheme: clientgoscheme.Scheme, Mapper: mapper})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Start(t.Context()) }()
	t.Cleanup(func() {
		a.server.CloseClientConnections()
		if err := <-done; err != nil {
			t.Error(err)
		}
		a.server.Close()
	})
	if !c.WaitForCacheSync(t.Context()) {
		t.Fatal("the cache does not start")
	}
	return a, c
}

func (a *api) serve(w http.ResponseWriter, r *http.Request) {
	resource := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	for {
		a.mu.Lock()
		mode, changed := a.mode, a.changed
		a.mu.Unlock()
		if mode != "silent" {
			break
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	a.mu.Lock()
	switch query := r.URL.Query(); {
	case a.mode == "forbid":
		a.mu.Unlock()
		refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden)
	case query.Get("sendInitialEvents") != "": // a watch that begins with a list: there are none of these
		a.mu.Unlock()
		refuse(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
	case query.Get("watch") != "":
		events := make(chan metav1.WatchEvent, 100)
		a.streams[resource] = append(a.streams[resource], events)
		a.mu.Unlock()
		stream(w, r, events)
	default:
		a.asked = append(a.asked, resource)
		list := metav1.List{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
		for _, obj := range a.objects[resource] {
			list.Items = append(list.Items, raw(obj))
		}
		a.mu.Unlock()
		list.Kind, list.APIVersion = map[string]string{"pods": "PodList", "configmaps": "ConfigMapList", "secrets": "SecretList"}[resource], "v1"
		_ = json.NewEncoder(w).Encode(list)
	}
}

func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Reason: reason, Code: int32(code),
	})
}

func stream(w http.ResponseWriter, r *http.Request, events <-chan metav1.WatchEvent) {
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for {
		select {
		case e := <-events:
			_ = json.NewEncoder(w).Encode(e)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// setMode changes how the server answers.
func (a *api) setMode(mode string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mode = mode
	close(a.changed)
	a.changed = make(chan struct{})
}

// has puts objects into the lists of a resource.
func (a *api) has(resource string, objects ...client.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, obj := range objects {
		obj.SetResourceVersion("1")
	}
	a.objects[resource] = append(a.objects[resource], objects...)
}

// tell tells the watches of a resource that an object was ADDED, MODIFIED or
// DELETED.
func (a *api) tell(resource, what string, obj client.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	obj.SetResourceVersion(string(rune('0' + a.version)))
	for _, events := range a.streams[resource] {
		events <- metav1.WatchEvent{Type: what, Object: raw(obj)}
	}
}

// watched tells whether a resource is watched.
func (a *api) watched(resource string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.streams[resource]) > 0
}

// listed are the resources that were listed.
func (a *api) listed() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.asked, " ")
}
