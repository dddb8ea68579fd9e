package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// watchOptions say which objects are looked after.
type watchOptions struct {
	// namespaces are all when there are none.
	namespaces []string
	// objects selects ScaledObjects and ScaledJobs, and auths authentications, by
	// their labels; nothing selects all.
	objects string
	auths   string
}

// watchFromEnv takes what is looked after from the environment.
func (o *options) watchFromEnv(getenv func(string) string) {
	for ns := range strings.SplitSeq(getenv("WATCH_NAMESPACE"), ",") {
		if ns = strings.TrimSpace(ns); ns != "" {
			o.watch.namespaces = append(o.watch.namespaces, ns)
		}
	}
	o.watch.objects = getenv("WATCH_LABEL_SELECTOR")
	o.watch.auths = getenv("WATCH_LABEL_SELECTOR_FOR_TRIGGERAUTH")
}

func (o *options) addWatchFlags(fs *pflag.FlagSet) {
	w := &o.watch
	fs.StringSliceVar(&w.namespaces, "watch-namespaces", w.namespaces, "namespaces to look after; default: all (WATCH_NAMESPACE)")
	fs.StringVar(&w.objects, "watch-label-selector", w.objects, "labels of the ScaledObjects and ScaledJobs to look after; default: all (WATCH_LABEL_SELECTOR)")
	fs.StringVar(&w.auths, "watch-label-selector-for-triggerauth", w.auths,
		"labels of the TriggerAuthentications and ClusterTriggerAuthentications to use; default: all (WATCH_LABEL_SELECTOR_FOR_TRIGGERAUTH)")
}

// validateWatch adds the faults of what is looked after.
func (o *options) validateWatch(add func(format string, args ...any)) {
	for _, ns := range append([]string{o.namespace}, o.watch.namespaces...) {
		if problems := validation.IsDNS1123Label(ns); len(problems) > 0 {
			add("namespace %q: %s", ns, problems[0])
		}
	}
	for _, s := range []struct{ flag, text string }{
		{"--watch-label-selector", o.watch.objects}, {"--watch-label-selector-for-triggerauth", o.watch.auths},
	} {
		if _, err := labels.Parse(s.text); err != nil {
			add("%s is %q, which selects no labels: %w", s.flag, s.text, err)
		}
	}
}

// all tells whether everything is looked after.
func (w *watchOptions) all() bool { return len(w.namespaces) == 0 && w.objects == "" && w.auths == "" }

// watches tells whether an object is looked after; the namespace of cluster-scoped
// objects is "".
func (w *watchOptions) watches(kind, namespace string, of map[string]string) bool {
	if namespace != "" && len(w.namespaces) > 0 && !slices.Contains(w.namespaces, namespace) {
		return false
	}
	return selector(w.textOf(kind)).Matches(labels.Set(of))
}

// textOf is what selects the objects of a kind; "" is all.
func (w *watchOptions) textOf(kind string) string {
	if kind == kedav1alpha1.KindTriggerAuthentication || kind == kedav1alpha1.KindClusterTriggerAuthentication {
		return w.auths
	}
	return w.objects
}

// selector reads one that was validated.
func selector(text string) labels.Selector {
	s, err := labels.Parse(text)
	if err != nil {
		panic(fmt.Sprintf("selector %q was not validated: %v", text, err))
	}
	return s
}
