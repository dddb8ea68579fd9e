package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
)

// explained is an explanation with a decision of now and one of two hours ago.
func explained(name string) whyv1alpha1.Explanation {
	now := metav1.Now()
	return whyv1alpha1.Explanation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Made: now,
		Object:  whyv1alpha1.Object{Kind: "ScaledObject", State: whyv1alpha1.StateIdle, Max: 10},
		Target:  whyv1alpha1.Target{Kind: "Deployment", Name: name, Replicas: new(int32(0))},
		Verdict: whyv1alpha1.Verdict{Now: "No trigger is active."},
		Decisions: []whyv1alpha1.Decision{
			{At: now, By: whyv1alpha1.MakerFreshet, Outcome: "Idle", Why: "lately"},
			{At: metav1.NewTime(now.Add(-2 * time.Hour)), By: whyv1alpha1.MakerFreshet, Outcome: "Idle", Why: "long ago"},
		},
	}
}

// cluster answers for the namespace shop, and is the user's by KUBECONFIG.
func cluster(t *testing.T) {
	t.Helper()
	reply := func(w http.ResponseWriter, code int, answer any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(answer)
	}
	fault := func(w http.ResponseWriter, code int32, reason metav1.StatusReason, message string) {
		reply(w, int(code), metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Code: code, Reason: reason, Message: message})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch strings.TrimPrefix(r.URL.Path, "/apis/why.freshet.io/v1alpha1/") {
		case "namespaces/shop/explanations/worker":
			reply(w, http.StatusOK, explained("worker"))
		case "namespaces/shop/explanations":
			reply(w, http.StatusOK, whyv1alpha1.ExplanationList{Items: []whyv1alpha1.Explanation{explained("b"), explained("a")}})
		case "namespaces/shop/explanations/nothing":
			fault(w, http.StatusNotFound, metav1.StatusReasonNotFound, "there is no ScaledObject shop/nothing, and none was deleted lately")
		case "namespaces/old/explanations/worker":
			http.NotFound(w, r)
		case "namespaces/down/explanations/worker":
			fault(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "error trying to reach service")
		default:
			fault(w, http.StatusForbidden, metav1.StatusReasonForbidden, `scaledobjects.keda.sh "worker" is forbidden`)
		}
	}))
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	config := "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: " + server.URL +
		"}}]\ncontexts: [{name: c, context: {cluster: c, user: u, namespace: shop}}, {name: other, context: {cluster: c, user: u, namespace: other}}]\nusers: [{name: u, user: {}}]\n"
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", path)
}

func call(t *testing.T, make func() *cobra.Command, args ...string) (string, error) {
	t.Helper()
	cmd := make()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceUsage = true
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestExplain(t *testing.T) {
	cluster(t)
	for name, tc := range map[string]struct {
		args  []string
		words []string
		not   string
		err   string
	}{
		"namespace and name":       {args: []string{"shop/worker"}, words: []string{"shop/worker", "No trigger is active.", "lately", "long ago"}},
		"name alone":               {args: []string{"worker"}, words: []string{"shop/worker"}},
		"of a while":               {args: []string{"worker", "--since", "1h"}, words: []string{"lately"}, not: "long ago"},
		"json of a while":          {args: []string{"worker", "--since", "1h", "-o", "json"}, words: []string{`"state": "Idle"`, "lately"}, not: "long ago"},
		"a flag's namespace":       {args: []string{"worker", "-n", "bank"}, err: "forbidden"},
		"another context":          {args: []string{"worker", "--context", "other"}, err: "forbidden"},
		"no such object":           {args: []string{"nothing"}, err: "there is no ScaledObject shop/nothing"},
		"not served":               {args: []string{"old/worker"}, err: "is Freshet installed"},
		"not reached":              {args: []string{"down/worker"}, err: "reaching Freshet through the API server"},
		"no name":                  {args: []string{"shop/"}, err: "does not name an object"},
		"too much of a name":       {args: []string{"a/b/c"}, err: "does not name an object"},
		"nothing":                  {err: "accepts 1 arg"},
		"another form":             {args: []string{"worker", "-o", "yaml"}, err: `--output is "yaml"`},
		"no such context":          {args: []string{"worker", "--context", "none"}, err: "none"},
		"a kubeconfig that is not": {args: []string{"worker", "--kubeconfig", "/nowhere"}, err: "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := call(t, explainCommand, tc.args...)
			if (err == nil) != (tc.err == "") || (err != nil && !strings.Contains(err.Error(), tc.err)) {
				t.Fatalf("the error is %v, want one with %q", err, tc.err)
			}
			for _, word := range tc.words {
				if !strings.Contains(out, word) {
					t.Errorf("%q is not in\n%s", word, out)
				}
			}
			if tc.not != "" && strings.Contains(out, tc.not) {
				t.Errorf("%q is in\n%s", tc.not, out)
			}
		})
	}
}

func TestTop(t *testing.T) {
	cluster(t)
	out, err := call(t, topCommand, "--once")
	if err != nil || strings.Index(out, " a ") > strings.Index(out, " b ") || !strings.Contains(out, "Idle") {
		t.Errorf("%v:\n%s", err, out)
	}
	if out, err = call(t, topCommand, "-o", "json"); err != nil || json.Unmarshal([]byte(out), &whyv1alpha1.ExplanationList{}) != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	if _, err = call(t, topCommand, "-A", "--once"); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("of all namespaces: %v", err)
	}
	if _, err = call(t, topCommand, "--sort-by", "age"); err == nil || !strings.Contains(err.Error(), "--sort-by") {
		t.Errorf("by age: %v", err)
	}
}
