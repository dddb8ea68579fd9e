package why

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// number is as people write it: to the thousandth, without zeros at the end.
func number(v float64) string {
	if math.Abs(v) >= 1e15 {
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	return strconv.FormatFloat(math.Round(v*milli)/milli, 'f', -1, 64)
}

// span is a length of time in words.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return pair(int(d.Minutes()), "min", int(d.Seconds())%60, "s")
	case d < 48*time.Hour:
		return pair(int(d.Hours()), "h", int(d.Minutes())%60, "min")
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

func pair(n int, unit string, m int, small string) string {
	if m == 0 {
		return fmt.Sprintf("%d %s", n, unit)
	}
	return fmt.Sprintf("%d %s %d %s", n, unit, m, small)
}

// percent is a share in hundredths.
func percent(share float64) string { return number(math.Round(share*1000)/10) + " %" }

// replicas is a count with its noun.
func replicas(n int32) string {
	if n == 1 {
		return "1 replica"
	}
	return fmt.Sprintf("%d replicas", n)
}

// upper begins a sentence. Names of metrics stay as they are.
func upper(s string) string {
	first, _, _ := strings.Cut(s, " ")
	if first == "" || first == "cpu" || first == "memory" || strings.ContainsAny(first, "-.0123456789") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// stay says that so many replicas do.
func stay(n int32) string { return "the " + replicas(n) + " " + plural(int(n), "stays", "stay") }

// list joins with commas and an "and".
func list(items []string) string {
	switch len(items) {
	case 0:
		return ""
	case 1:
		return items[0]
	}
	return strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]
}

// plural is the verb's ending for one.
func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
