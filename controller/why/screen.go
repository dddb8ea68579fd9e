package why

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
)

const (
	// width is that of a screen.
	width = 110
	// mostDecisions are on one screen when no time is given.
	mostDecisions = 8
)

// Screen puts an explanation on one screen: with the decisions of the last since,
// or the last few of them when that is 0.
func Screen(e *whyv1alpha1.Explanation, since time.Duration) string {
	var b strings.Builder
	head(&b, e)
	readingsTable(&b, e)
	section(&b, "now", e.Verdict.Now)
	section(&b, "next", e.Verdict.Next)
	section(&b, "why not more", e.Verdict.NotMore...)
	section(&b, "why not fewer", e.Verdict.NotFewer...)
	section(&b, "what would change it", e.Verdict.Change...)
	section(&b, "worth a look", e.Verdict.Suspect...)
	section(&b, "not known", e.Verdict.Unknown...)
	decisions(&b, e, since)
	return b.String()
}

func head(b *strings.Builder, e *whyv1alpha1.Explanation) {
	fmt.Fprintf(b, "%s/%s  %s", e.Namespace, e.Name, e.Object.Kind)
	if e.Target.Name != "" {
		fmt.Fprintf(b, " → %s %s", e.Target.Kind, e.Target.Name)
	}
	fmt.Fprintf(b, "  at %s\n\n  %s", e.Made.UTC().Format("15:04:05"), e.Object.State)
	if e.Target.Replicas != nil {
		fmt.Fprintf(b, "   %s", replicas(*e.Target.Replicas))
	}
	if e.Object.Max > 0 {
		fmt.Fprintf(b, "   min %d, max %d", e.Object.Min, e.Object.Max)
	}
	if e.Object.Idle != nil {
		fmt.Fprintf(b, ", idle %d", *e.Object.Idle)
	}
	if h := e.HPA; h != nil && h.Expected != nil {
		fmt.Fprintf(b, "   HPA asks for %d, expected %d", h.Desired, *h.Expected)
	}
	b.WriteString("\n")
	if e.Formula != nil {
		fmt.Fprintf(b, "  formula   %s\n", e.Formula.Text)
	}
	if fb := e.Fallback; fb != nil {
		fmt.Fprintf(b, "  fallback  %s after more than %d failures\n", replicas(fb.Replicas), fb.Threshold)
	}
}

func readingsTable(b *strings.Builder, e *whyv1alpha1.Explanation) {
	if len(e.Readings) == 0 {
		return
	}
	b.WriteString("\nREAD\n")
	w := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "  metric\tvalue\ttarget\tasks for\tage\tactive")
	for i := range e.Readings {
		r := &e.Readings[i]
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\n", r.Metric, valueCell(r), targetCell(r), asksCell(r), ageCell(r), activeCell(r))
	}
	_ = w.Flush() // to memory
	for i := range e.Readings {
		if r := &e.Readings[i]; r.Error != "" {
			said := r.Metric + ": " + r.Error
			if r.Failures > 0 {
				said += fmt.Sprintf(" (%d %s in a row)", r.Failures, plural(int(r.Failures), "failure", "failures"))
			}
			paragraph(b, said)
		}
	}
}

func valueCell(r *whyv1alpha1.Reading) string {
	switch {
	case r.Value == nil && r.Error != "":
		return "error"
	case r.Value == nil:
		return "–"
	case r.StandIn:
		return number(*r.Value) + " (fallback)"
	case r.TargetType == autoscalingv2.UtilizationMetricType:
		return number(*r.Value) + " %"
	}
	return number(*r.Value)
}

func targetCell(r *whyv1alpha1.Reading) string {
	switch r.TargetType {
	case autoscalingv2.AverageValueMetricType:
		return number(r.Target) + " each"
	case autoscalingv2.ValueMetricType:
		return number(r.Target) + " in all"
	case autoscalingv2.UtilizationMetricType:
		return number(r.Target) + " % each"
	}
	return "–"
}

func asksCell(r *whyv1alpha1.Reading) string {
	if r.Asks == nil {
		return "–"
	}
	if r.Exact != nil && *r.Exact != float64(*r.Asks) {
		return fmt.Sprintf("%d (%s)", *r.Asks, number(*r.Exact))
	}
	return fmt.Sprint(*r.Asks)
}

func ageCell(r *whyv1alpha1.Reading) string {
	if r.AgeSeconds == nil {
		return "–"
	}
	return span(time.Duration(*r.AgeSeconds * float64(time.Second)))
}

func activeCell(r *whyv1alpha1.Reading) string {
	if r.Active {
		return "yes"
	}
	return "no"
}

// section is a heading and its paragraphs; nothing without any.
func section(b *strings.Builder, title string, paragraphs ...string) {
	written := false
	for _, p := range paragraphs {
		if p == "" {
			continue
		}
		if !written {
			fmt.Fprintf(b, "\n%s\n", strings.ToUpper(title))
			written = true
		}
		paragraph(b, p)
	}
}

// paragraph writes words up to the width, further lines a bit deeper.
func paragraph(b *strings.Builder, text string) { indented(b, " ", text) }

func indented(b *strings.Builder, indent, text string) {
	line := indent
	for _, word := range strings.Fields(text) {
		if runes(line)+1+runes(word) > width && strings.TrimSpace(line) != "" {
			b.WriteString(line + "\n")
			line = indent + "  "
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

func runes(s string) int { return len([]rune(s)) }

func decisions(b *strings.Builder, e *whyv1alpha1.Explanation, since time.Duration) {
	shown, left := Since(e, since), 0
	if since == 0 && len(shown) > mostDecisions {
		shown, left = shown[:mostDecisions], len(shown)-mostDecisions
	}
	if len(shown) > 0 {
		b.WriteString("\nDONE, THE LAST FIRST\n")
	}
	for i := range shown {
		d := &shown[i]
		change := fmt.Sprintf("%d → %d", d.From, d.To)
		if d.From == d.To {
			change = fmt.Sprintf("stays %d", d.To)
		}
		paragraph(b, fmt.Sprintf("%s  %s  %s  %s: %s", d.At.UTC().Format("15:04:05"), d.By, change, d.Outcome, d.Why))
		inputsOf(b, d)
	}
	if left > 0 {
		fmt.Fprintf(b, "  … and %d before: --since has more.\n", left)
	}
}

// Since are the decisions of the last while; 0 is all that there are.
func Since(e *whyv1alpha1.Explanation, while time.Duration) []whyv1alpha1.Decision {
	if while == 0 {
		return e.Decisions
	}
	for i := range e.Decisions {
		if e.Made.Sub(e.Decisions[i].At.Time) > while {
			return e.Decisions[:i]
		}
	}
	return e.Decisions
}

// inputsOf are the readings that a decision was made of, in one line.
func inputsOf(b *strings.Builder, d *whyv1alpha1.Decision) {
	var all []string
	for i := range d.Inputs {
		in := &d.Inputs[i]
		switch {
		case in.Value != nil:
			all = append(all, fmt.Sprintf("%s was %s (%s old)", in.Metric, number(*in.Value), span(time.Duration(in.AgeSeconds*float64(time.Second)))))
		case in.Error != "":
			all = append(all, fmt.Sprintf("%s failed %d times: %s", in.Metric, in.Failures, in.Error))
		default:
			all = append(all, in.Metric+" was not read")
		}
	}
	if len(all) > 0 {
		indented(b, "     ", "of "+strings.Join(all, "; "))
	}
}
