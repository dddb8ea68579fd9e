package manifests

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/freshet-io/freshet/controller/checks"
)

// Severity is how grave a finding is.
type Severity string

const (
	// Fault keeps an object, or a trigger of it, from working.
	Fault Severity = "fault"
	// Warning tells of what has no effect, or could not be checked.
	Warning Severity = "warning"
)

// Finding is one thing about an object that its author should know.
type Finding struct {
	// File and Line are where it is.
	File string `json:"file"`
	Line int    `json:"line"`
	// Object is the kind and name of the object; "" where there is none.
	Object string `json:"object,omitempty"`
	// Field is the path of the field; "" is the object.
	Field string `json:"field,omitempty"`
	// Severity is fault or warning.
	Severity Severity `json:"severity"`
	// Message says what is wrong and what to change.
	Message string `json:"message"`
}

// String is the finding in one line.
func (f Finding) String() string {
	place := fmt.Sprintf("%s:%d: %s: ", f.File, f.Line, f.Severity)
	if f.Object != "" {
		place += f.Object + ": "
	}
	if f.Field != "" {
		place += f.Field + ": "
	}
	return place + f.Message
}

// Object is an object that was checked.
type Object struct {
	// File and Line are where it is.
	File string `json:"file"`
	Line int    `json:"line"`
	// Name is its kind and name.
	Name string `json:"name"`
	// HPA is the name of the HPA that would be made; "" for other kinds.
	HPA string `json:"hpa,omitempty"`
	// Metrics are those of its triggers that have no fault.
	Metrics []checks.Metric `json:"metrics,omitempty"`
}

// Report is what was found.
type Report struct {
	// Objects are those that were checked, good or not.
	Objects []Object `json:"objects"`
	// Skipped counts objects of other kinds.
	Skipped int `json:"skipped"`
	// Findings are sorted by file and line.
	Findings []Finding `json:"findings"`
}

// Faults counts the findings that are faults.
func (r *Report) Faults() int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == Fault {
			n++
		}
	}
	return n
}

func (r *Report) sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Field, b.Field))
	})
	r.Findings = slices.Compact(r.Findings)
}

// Write writes the report for people: each good object with its metrics, each
// finding in a line, and a summary.
func (r *Report) Write(w io.Writer) {
	bad := map[string]bool{}
	for _, f := range r.Findings {
		bad[f.File+f.Object] = bad[f.File+f.Object] || f.Severity == Fault
	}
	for _, o := range r.Objects {
		if bad[o.File+o.Name] {
			continue
		}
		fmt.Fprintf(w, "%s:%d: good: %s", o.File, o.Line, o.Name)
		if o.HPA != "" {
			fmt.Fprintf(w, " → HPA %s", o.HPA)
		}
		fmt.Fprintln(w)
		for _, m := range o.Metrics {
			fmt.Fprintf(w, "    trigger %d (%s): metric %s", m.Trigger, m.Type, m.Name)
			if m.Target != "" {
				fmt.Fprintf(w, ", target %s", m.Target)
			}
			fmt.Fprintln(w)
		}
	}
	for _, f := range r.Findings {
		fmt.Fprintln(w, f)
	}
	faults := r.Faults()
	fmt.Fprintf(w, "%s checked, %s, %s", count(len(r.Objects), "object"), count(faults, "fault"), count(len(r.Findings)-faults, "warning"))
	if r.Skipped > 0 {
		fmt.Fprintf(w, "; %s of other kinds passed over", count(r.Skipped, "object"))
	}
	fmt.Fprintln(w)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
