package why

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
)

// severity orders states: what somebody should look at comes first.
var severity = map[whyv1alpha1.State]int{
	whyv1alpha1.StateFaulty: 0, whyv1alpha1.StateFailing: 1, whyv1alpha1.StateFallback: 2, whyv1alpha1.StateLimited: 3,
	whyv1alpha1.StatePaused: 4, whyv1alpha1.StateWaiting: 5, whyv1alpha1.StateHeld: 6, whyv1alpha1.StateScaling: 7,
	whyv1alpha1.StateCooling: 8, whyv1alpha1.StateIdle: 9, whyv1alpha1.StateDeleted: 10,
}

// Orders are the ways in which [Sort] can sort.
var Orders = []string{"state", "name", "replicas"}

// Sort sorts explanations by state, what needs a look first; by name; or by
// replicas, the most first.
func Sort(all []whyv1alpha1.Explanation, by string) {
	names := func(a, b *whyv1alpha1.Explanation) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	}
	slices.SortFunc(all, func(a, b whyv1alpha1.Explanation) int {
		switch by {
		case "replicas":
			return cmp.Or(cmp.Compare(countOf(&b), countOf(&a)), names(&a, &b))
		case "state":
			return cmp.Or(cmp.Compare(severity[a.Object.State], severity[b.Object.State]), names(&a, &b))
		default:
			return names(&a, &b)
		}
	})
}

// countOf is −1 when it is not known.
func countOf(e *whyv1alpha1.Explanation) int32 {
	if e.Target.Replicas == nil {
		return -1
	}
	return *e.Target.Replicas
}

// Table writes explanations as lines: at most most, 0 is all. Sentences are cut at
// the width; 0 is that of a screen.
func Table(out io.Writer, all []whyv1alpha1.Explanation, most, columns int) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tNAME\tSTATE\tREPLICAS\tWANTED\tMIN\tMAX\tWHY")
	shown := all
	if most > 0 && len(shown) > most {
		shown = shown[:most]
	}
	for i := range shown {
		e := &shown[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", e.Namespace, e.Name, e.Object.State,
			Count(e.Target.Replicas), Count(Wanted(e)), e.Object.Min, e.Object.Max, cut(e.Verdict.Now, columns))
	}
	_ = w.Flush() // whoever reads may have gone
	if n := len(all) - len(shown); n > 0 {
		fmt.Fprintf(out, "… and %d more\n", n)
	}
}

// Wanted is how many replicas the triggers ask for together; nil when that is not
// known.
func Wanted(e *whyv1alpha1.Explanation) *int32 {
	var most *int32
	for i := range e.Readings {
		if n := e.Readings[i].Asks; n != nil && (most == nil || *n > *most) {
			most = n
		}
	}
	return most
}

// Count is a count for a table.
func Count(n *int32) string {
	if n == nil {
		return "–"
	}
	return fmt.Sprint(*n)
}

// cut shortens a sentence for a table.
func cut(s string, columns int) string {
	const names = 50 // what the other columns take
	room := max(20, columns-names)
	if columns == 0 {
		room = width - names
	}
	if r := []rune(s); len(r) > room {
		return string(r[:room-1]) + "…"
	}
	return s
}
