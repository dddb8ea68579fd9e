package metricsadapter

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	genericapifilters "k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericfilters "k8s.io/apiserver/pkg/server/filters"
	"k8s.io/klog/v2"
	"k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
)

// quick answers the one request that the HPA sends again and again, for the
// value of one metric of one object, without the layers that a metrics adapter
// has no use for: time-out goroutines, tracing, audit, impersonation, label
// parsing and list conversion. Who asks is authenticated and authorized as for
// every other request, and the answer is the same to the byte. Whatever it does
// not know goes to full.
type quick struct {
	provider *Provider
	callers  *proxied
	rights   *rights
	inFlight genericfilters.RequestWaitGroup
	full     http.Handler
	// checked finds out who asks and what that caller may read, and answers.
	checked http.Handler
	// answered answers a caller who is known to have the right.
	answered http.Handler
}

// withQuick returns how a server's handlers are chained with the quick answer
// before the usual chain.
func withQuick(p *Provider) func(http.Handler, *genericapiserver.Config) http.Handler {
	return func(handler http.Handler, c *genericapiserver.Config) http.Handler {
		full := genericapiserver.DefaultBuildHandlerChain(handler, c)
		if c.Authentication.Authenticator == nil || c.Authorization.Authorizer == nil {
			return full
		}
		q := &quick{
			provider: p, rights: newRights(time.Now), inFlight: c.NonLongRunningRequestWaitGroup, full: full,
			callers: rememberProxied(c.Authentication.Authenticator, c.Authentication.RequestHeaderConfig),
		}
		answer := q.answer(c.Serializer)
		checked := q.authorize(answer, genericapifilters.WithAuthorization(q.remember(answer), c.Authorization.Authorizer, c.Serializer))
		checked = genericapifilters.WithAuthentication(checked, q.callers,
			genericapifilters.Unauthorized(c.Serializer), c.Authentication.APIAudiences, c.Authentication.RequestHeaderConfig)
		checked = genericapifilters.WithRequestInfo(checked, quickInfo{})
		q.checked = genericfilters.WithPanicRecovery(checked, c.RequestInfoResolver)
		q.answered = genericfilters.WithPanicRecovery(answer, c.RequestInfoResolver)
		return q
	}
}

// ServeHTTP answers the request.
func (q *quick) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query, ok := parseQuery(r, q.provider.label)
	if !ok || q.inFlight.Add(1) != nil { // it is ending, and full says so
		q.full.ServeHTTP(w, r)
		return
	}
	defer q.inFlight.Done()
	next := q.checked
	if known, ok := q.callers.known(r); ok && q.rights.has(query.by(known.caller)) {
		next = q.answered
	}
	next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), queryKey{}, query)))
}

// authorize has those answered who are known to have the right to what they ask for,
// and all others asked for.
func (q *quick) authorize(answer, ask http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if right, ok := rightOf(r.Context()); ok && q.rights.has(right) {
			answer.ServeHTTP(w, r)
			return
		}
		ask.ServeHTTP(w, r)
	})
}

// remember is where those come who were allowed to.
func (q *quick) remember(answer http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if right, ok := rightOf(r.Context()); ok {
			q.rights.given(right)
		}
		answer.ServeHTTP(w, r)
	})
}

// rightOf is what a request needs whose caller was authenticated.
func rightOf(ctx context.Context) (right, bool) {
	user, ok := request.UserFrom(ctx)
	if !ok {
		return right{}, false
	}
	query, ok := ctx.Value(queryKey{}).(metricQuery)
	return query.by(callerOf(user)), ok
}

// metricQuery is what the quick answer is about.
type metricQuery struct {
	namespace, object, metric string
	// selector is the label's, by which object was found.
	selector string
	protobuf bool
}

// by is the right that a caller needs for it.
func (q metricQuery) by(c caller) right { return right{c, q.namespace, q.object, q.metric} }

type queryKey struct{}

// quickInfo tells what authorization is asked about: that to list a resource of the
// metric's name, as of any request of this form.
type quickInfo struct{}

// NewRequestInfo describes a request whose query was parsed.
func (quickInfo) NewRequestInfo(r *http.Request) (*request.RequestInfo, error) {
	q, _ := r.Context().Value(queryKey{}).(metricQuery)
	return &request.RequestInfo{
		IsResourceRequest: true, Path: r.URL.Path, Verb: "list",
		APIPrefix: "apis", APIGroup: v1beta1.SchemeGroupVersion.Group, APIVersion: v1beta1.SchemeGroupVersion.Version,
		Namespace: q.namespace, Resource: q.metric, Parts: []string{q.metric}, LabelSelector: q.selector,
	}, nil
}

const (
	queryPrefix  = "/apis/external.metrics.k8s.io/v1beta1/namespaces/"
	protobufType = runtime.ContentTypeProtobuf
	jsonType     = runtime.ContentTypeJSON
)

// parseQuery tells whether the request is one for the quick answer: a GET of one
// metric whose only parameter selects one object by its label.
func parseQuery(r *http.Request, label string) (metricQuery, bool) {
	path, ok := strings.CutPrefix(r.URL.Path, queryPrefix)
	if !ok || r.Method != http.MethodGet || r.URL.RawPath != "" || impersonates(r.Header) {
		return metricQuery{}, false
	}
	var q metricQuery
	if q.namespace, q.metric, ok = strings.Cut(path, "/"); !ok || q.namespace == "" || q.metric == "" || strings.Contains(q.metric, "/") ||
		q.metric == "status" || q.metric == "finalize" { // which are parts of the namespace itself
		return metricQuery{}, false
	}
	selector, ok := strings.CutPrefix(r.URL.RawQuery, "labelSelector=")
	if !ok || strings.Contains(selector, "&") {
		return metricQuery{}, false
	}
	selector, err := url.QueryUnescape(selector)
	if err != nil {
		return metricQuery{}, false
	}
	if q.object, ok = strings.CutPrefix(selector, label+"="); !ok || !plain(q.object) {
		return metricQuery{}, false
	}
	q.selector = selector
	switch accept := r.Header.Get("Accept"); {
	case strings.HasPrefix(accept, protobufType) && !strings.Contains(accept, ";"):
		q.protobuf = true
	case accept == "", accept == "*/*", accept == jsonType, strings.HasPrefix(accept, jsonType+",") && !strings.Contains(accept, ";"):
	default:
		return metricQuery{}, false
	}
	return q, true
}

// impersonates tells whether who asks does so in the name of another.
func impersonates(h http.Header) bool {
	for key := range h {
		if strings.HasPrefix(key, "Impersonate-") {
			return true
		}
	}
	return false
}

// plain tells whether the text is a label's value that no selector reads as
// anything else.
func plain(text string) bool {
	if text == "" || len(text) > 63 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (c != '-' && c != '_' && c != '.' || i == 0 || i == len(text)-1) {
			return false
		}
	}
	return true
}

// answer returns the handler at the end of the lean chain.
func (q *quick) answer(s runtime.NegotiatedSerializer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query, _ := r.Context().Value(queryKey{}).(metricQuery)
		v, err := q.provider.value(r.Context(), query.namespace, query.object, query.metric)
		if err != nil {
			responsewriters.ErrorNegotiated(err, s, v1beta1.SchemeGroupVersion, w, r)
			return
		}
		text, contentType := appendJSON(make([]byte, 0, 320), v), jsonType
		if query.protobuf {
			if text, err = protobufOf(v); err != nil {
				responsewriters.ErrorNegotiated(err, s, v1beta1.SchemeGroupVersion, w, r)
				return
			}
			contentType = protobufType
		}
		h := w.Header()
		h["Content-Type"] = []string{contentType}
		h["Cache-Control"] = []string{"no-cache, private"}
		h["Content-Length"] = []string{strconv.Itoa(len(text))}
		if _, err := w.Write(text); err != nil {
			klog.FromContext(r.Context()).V(2).Info("A caller did not wait for its answer", "err", err)
		}
	}
}

// appendJSON appends the list of the one value, as the API machinery writes it.
func appendJSON(b []byte, v value) []byte {
	b = append(b, `{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{},"items":[{"metricName":`...)
	b = appendText(b, v.metric)
	b = append(b, `,"metricLabels":null,"timestamp":"`...)
	b = v.at.UTC().AppendFormat(b, "2006-01-02T15:04:05Z")
	b = append(b, `","value":"`...)
	quantity := Quantity(v.number)
	b = append(b, quantity.String()...)
	return append(b, "\"}]}\n"...)
}

// appendText appends a JSON string. Names of metrics need no escapes but in
// names that a source gave.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c >= 0x7f {
			quoted, _ := json.Marshal(text) // a string always encodes
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// protobufPrefix begins every object in protobuf.
var protobufPrefix = []byte{'k', '8', 's', 0}

// protobufOf is the list of the one value in the envelope of the API machinery.
func protobufOf(v value) ([]byte, error) {
	list := v1beta1.ExternalMetricValueList{Items: []v1beta1.ExternalMetricValue{{
		MetricName: v.metric, Timestamp: metav1.NewTime(v.at), Value: Quantity(v.number),
	}}}
	raw, err := list.Marshal()
	if err != nil {
		return nil, err //nolint:wrapcheck // cannot be
	}
	unknown := runtime.Unknown{
		TypeMeta: runtime.TypeMeta{APIVersion: v1beta1.SchemeGroupVersion.String(), Kind: "ExternalMetricValueList"}, Raw: raw,
	}
	body, err := unknown.Marshal()
	if err != nil {
		return nil, err //nolint:wrapcheck // cannot be
	}
	return append(protobufPrefix[:len(protobufPrefix):len(protobufPrefix)], body...), nil
}
