package explanations

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/why"
)

// Storage serves explanations: it makes them when they are asked for.
type Storage struct {
	gatherer *Gatherer
	access   *Access
}

// What the API server asks of it.
var (
	_ rest.Getter               = &Storage{}
	_ rest.Lister               = &Storage{}
	_ rest.Scoper               = &Storage{}
	_ rest.SingularNameProvider = &Storage{}
)

// NewStorage explains by g to those whom a lets.
func NewStorage(g *Gatherer, a *Access) *Storage { return &Storage{gatherer: g, access: a} }

// New is an empty explanation.
func (s *Storage) New() runtime.Object { return &whyv1alpha1.Explanation{} }

// NewList is an empty list of them.
func (s *Storage) NewList() runtime.Object { return &whyv1alpha1.ExplanationList{} }

// Destroy has nothing to do.
func (s *Storage) Destroy() {}

// NamespaceScoped is true: an explanation is where its object is.
func (s *Storage) NamespaceScoped() bool { return true }

// GetSingularName is that of one.
func (s *Storage) GetSingularName() string { return "explanation" }

// Get explains one object.
func (s *Storage) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	namespace := request.NamespaceValue(ctx)
	if err := s.access.Check(ctx, "get", namespace, name); err != nil {
		return nil, err
	}
	e, known, err := s.gatherer.Explain(ctx, namespace, name)
	switch {
	case err != nil:
		return nil, apierrors.NewInternalError(err)
	case !known:
		notFound := apierrors.NewNotFound(scaledObjects, name)
		notFound.ErrStatus.Message = fmt.Sprintf("there is no ScaledObject %s/%s, and none was deleted lately", namespace, name)
		return nil, notFound
	}
	return e, nil
}

// List explains the objects of a namespace, or all, from memory; those that were
// deleted lately are among them. Labels are those of the objects.
func (s *Storage) List(ctx context.Context, o *internalversion.ListOptions) (runtime.Object, error) {
	namespace := request.NamespaceValue(ctx)
	if err := s.access.Check(ctx, "list", namespace, ""); err != nil {
		return nil, err
	}
	if o != nil && o.FieldSelector != nil && !o.FieldSelector.Empty() {
		return nil, apierrors.NewBadRequest("explanations cannot be selected by fields")
	}
	selector := labels.Everything()
	if o != nil && o.LabelSelector != nil {
		selector = o.LabelSelector
	}
	objects, err := s.gatherer.objects(ctx, namespace)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	list, now := &whyv1alpha1.ExplanationList{Items: []whyv1alpha1.Explanation{}}, time.Now()
	for i := range objects {
		if ctx.Err() != nil {
			return nil, apierrors.NewTimeoutError("explaining so many objects took too long: ask for one namespace", 0)
		}
		if selector.Matches(labels.Set(objects[i].Labels)) {
			list.Items = append(list.Items, *s.gatherer.Cursory(ctx, &objects[i], now))
		}
	}
	if selector.Empty() {
		list.Items = append(list.Items, s.gatherer.deleted(namespace, now)...)
	}
	why.Sort(list.Items, "name")
	return list, nil
}

// deleted explains the objects that were deleted lately.
func (g *Gatherer) deleted(namespace string, now time.Time) []whyv1alpha1.Explanation {
	var all []whyv1alpha1.Explanation
	for _, key := range g.Ledger.Deleted(now) {
		if namespace != "" && key.Namespace != namespace {
			continue
		}
		f := g.facts(key, now)
		_, f.Deleted = g.Ledger.Of(key, now)
		all = append(all, *why.Explain(f))
	}
	return all
}

// ConvertToTable is what kubectl get shows.
func (s *Storage) ConvertToTable(_ context.Context, object, _ runtime.Object) (*metav1.Table, error) {
	table := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: "The object that is explained."},
		{Name: "State", Type: "string", Description: "One word on it."},
		{Name: "Replicas", Type: "string", Description: "How many its workload is asked to have."},
		{Name: "Wanted", Type: "string", Description: "How many its triggers ask for."},
		{Name: "Why", Type: "string", Description: "What is so."},
	}}
	add := func(e *whyv1alpha1.Explanation) {
		table.Rows = append(table.Rows, metav1.TableRow{
			Cells:  []any{e.Name, string(e.Object.State), why.Count(e.Target.Replicas), why.Count(why.Wanted(e)), e.Verdict.Now},
			Object: runtime.RawExtension{Object: &metav1.PartialObjectMetadata{ObjectMeta: e.ObjectMeta}},
		})
	}
	switch e := object.(type) {
	case *whyv1alpha1.Explanation:
		add(e)
	case *whyv1alpha1.ExplanationList:
		for i := range e.Items {
			add(&e.Items[i])
		}
	default:
		return nil, fmt.Errorf("a %T cannot be shown as a table", object)
	}
	return table, nil
}
