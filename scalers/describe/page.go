package describe

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-io/freshet/scalers/param"
)

// Page is the page of the trigger for one of its types, in Markdown.
func (t *Trigger) Page(typ string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("<!-- Generated from the source by make generate. -->")
	line("# %s", typ)
	line("")
	line("%s", t.SummaryOf(typ))
	line("")
	for _, fact := range t.facts() {
		line("- %s", fact)
	}
	line("")
	line("```yaml")
	line("%s", t.exampleYAML(typ))
	line("```")
	line("")
	line("## Parameters")
	line("")
	line("| parameter | what it is | from | default |")
	line("|---|---|---|---|")
	for _, p := range t.Parameters {
		line("| %s | %s | %s | %s |", p.names(), p.cell(), p.places(), p.fallback())
	}
	line("")
	line("From: metadata is the trigger's own metadata, env the variable of the target's container that the metadata key with `FromEnv` at its")
	line("end names, authentication a TriggerAuthentication. The first of them that has a value counts.")
	return b.String()
}

// facts are what the host does with the trigger.
func (t *Trigger) facts() []string {
	facts := []string{fmt.Sprintf("Family %s, since %s.", t.Category, t.Since)}
	switch {
	case t.Resource:
		facts = append(facts, "The HPA measures it itself; it takes no part in scaling to and from zero.")
	case t.Named:
		facts = append(facts, "Its source names the metrics; the HPA knows them by `s<index>-` and that name.")
	default:
		facts = append(facts, fmt.Sprintf("The HPA knows it as `%s`, if it is the first trigger of its object.", t.MetricName))
	}
	if t.OpenMetadata {
		facts = append(facts, "Metadata with other keys is handed on to its source; a key that ends in `FromEnv` has the value of the variable that it names.")
	}
	if t.Together {
		facts = append(facts, "All triggers of one source are read together over one connection.")
	}
	if t.Watches {
		facts = append(facts, "Its source tells of events, on which it is read at once.")
	}
	if t.Told {
		facts = append(facts, "Where its source tells of changes, it is read as soon as it may have become active, and not polled while it is not.")
	}
	if t.Idle > 0 {
		facts = append(facts, fmt.Sprintf("While it is not active%s, it is read every %s, or thirty times in its polling interval where that is less often.",
			map[bool]string{true: " and its source does not tell"}[t.Told], t.Idle))
	}
	return facts
}

// exampleYAML is the example as it stands in spec.triggers.
func (t *Trigger) exampleYAML(typ string) string {
	lines := []string{"triggers:", "- type: " + typ}
	if t.ExampleMetricType != "" {
		lines = append(lines, "  metricType: "+string(t.ExampleMetricType))
	}
	lines = append(lines, "  metadata:")
	for _, key := range slices.Sorted(maps.Keys(t.Example)) {
		lines = append(lines, fmt.Sprintf("    %s: %s", key, strconv.Quote(t.Example[key])))
	}
	if len(t.ExampleAuth) > 0 {
		lines = append(lines, "  authenticationRef:", "    name: "+typ+" # gives "+
			strings.Join(slices.Sorted(maps.Keys(t.ExampleAuth)), ", "))
	}
	return strings.Join(lines, "\n")
}

func (p *Parameter) names() string {
	names := []string{"`" + p.Key + "`"}
	for _, alias := range p.Aliases {
		names = append(names, "`"+alias+"`")
	}
	return strings.Join(names, " or ")
}

// cell says what the parameter is and which values it takes.
func (p *Parameter) cell() string {
	text := strings.ReplaceAll(oneLine(p.Text), "|", `\|`)
	notes := []string{p.Kind}
	if len(p.Enum) > 0 {
		notes = []string{"one of " + strings.Join(p.Enum, ", ")}
		if strings.HasPrefix(p.Kind, "list") {
			notes = []string{"any of " + strings.Join(p.Enum, ", ")}
		}
	}
	if strings.HasPrefix(p.Kind, "list") && p.Separator != "," {
		notes = append(notes, "separated by `"+p.Separator+"`")
	}
	if p.Range != "" {
		notes = append(notes, "ranges such as `1"+p.Range+"4`")
	}
	if p.Min != nil {
		notes = append(notes, "at least "+p.bound(*p.Min))
	}
	if p.Max != nil {
		notes = append(notes, "at most "+p.bound(*p.Max))
	}
	switch p.Role {
	case param.Target:
		notes = append(notes, "the target")
	case param.Activation:
		notes = append(notes, "the activation")
	case param.Plain:
	}
	text += " *(" + strings.Join(notes, ", ") + ")*"
	if p.Deprecated != "" {
		text += " **Deprecated:** " + p.Deprecated + "."
	}
	if p.Removed != "" {
		text += " **Removed:** " + p.Removed + "."
	}
	return text
}

func (p *Parameter) bound(n float64) string {
	if p.Kind == "duration" {
		return time.Duration(n).String()
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}

func (p *Parameter) places() string {
	places := make([]string, len(p.From))
	for i, from := range p.From {
		places[i] = from.String()
	}
	return strings.Join(places, ", ")
}

// fallback is the default, or whether the parameter must be given.
func (p *Parameter) fallback() string {
	switch {
	case p.Default != "":
		return "`" + p.Default + "`"
	case p.Optional:
		return ""
	default:
		return "**required**"
	}
}

// Index is the page that lists all triggers, in Markdown.
func Index(all []Trigger) string {
	families := map[string][]string{}
	for i := range all {
		t := &all[i]
		for _, typ := range t.Types {
			first, _, _ := strings.Cut(oneLine(t.SummaryOf(typ)), ". ")
			families[t.Category] = append(families[t.Category], fmt.Sprintf("| [%s](%s.md) | %s. |", typ, typ, strings.TrimSuffix(first, ".")))
		}
	}
	var b strings.Builder
	b.WriteString("<!-- Generated from the source by make generate. -->\n# Triggers\n\n" +
		"Each page has the parameters and an example. [schema.json](schema.json) is a JSON schema of all of them, for editors;\n" +
		"`freshet validate -f FILE` checks manifests with the decoder that the controller uses.\n")
	for _, family := range slices.Sorted(maps.Keys(families)) {
		slices.Sort(families[family])
		fmt.Fprintf(&b, "\n## %s\n\n| type | |\n|---|---|\n%s\n", family, strings.Join(families[family], "\n"))
	}
	return b.String()
}
