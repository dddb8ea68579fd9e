package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Measures of a panel, in pixels.
const (
	panelWidth, panelHeight = 420, 300
	marginLeft, marginTop   = 60, 50
	plotWidth, plotHeight   = 320, 200
)

var colours = []string{"#0969da", "#1a7f37", "#bc4c00"}

// point is a figure by a number.
type point struct{ x, y float64 }

// draw is two panels, both axes of both logarithmic: the time of a cycle by its
// triggers, a line for each number of sources, and its round trips by its sources,
// a line for each number of triggers. On a line that is straight and rises at 45
// degrees the cost is linear.
func draw(all []measured) string {
	times, trips := map[int][]point{}, map[int][]point{}
	for _, m := range all {
		times[m.Sources] = append(times[m.Sources], point{float64(m.Triggers), m.Milliseconds})
		trips[m.Triggers] = append(trips[m.Triggers], point{float64(m.Sources), m.RoundTrips})
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11" fill="#24292f">`+"\n", 2*panelWidth, panelHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", 2*panelWidth, panelHeight)
	panel(&b, 0, "milliseconds a cycle, by triggers", "sources", times)
	panel(&b, panelWidth, "round trips a cycle, by sources", "triggers", trips)
	b.WriteString("</svg>\n")
	return b.String()
}

// panel draws lines by name, which are numbers of something.
func panel(b *strings.Builder, left int, title, of string, lines map[int][]point) {
	xs, ys := scale(lines, func(p point) float64 { return p.x }), scale(lines, func(p point) float64 { return p.y })
	at := func(p point) (x, y float64) {
		return float64(left+marginLeft) + xs.place(p.x)*plotWidth, marginTop + (1-ys.place(p.y))*plotHeight
	}
	fmt.Fprintf(b, `<text x="%d" y="20" font-size="14" font-weight="bold">%s</text>`+"\n", left+marginLeft, title)
	for e := xs.from; e <= xs.to; e++ {
		x, _ := at(point{math.Pow10(e), math.Pow10(ys.from)})
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#d0d7de"/><text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n",
			x, marginTop, x, marginTop+plotHeight, x, marginTop+plotHeight+16, math.Pow10(e))
	}
	for e := ys.from; e <= ys.to; e++ {
		_, y := at(point{math.Pow10(xs.from), math.Pow10(e)})
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#d0d7de"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`+"\n",
			left+marginLeft, y, left+marginLeft+plotWidth, y, left+marginLeft-6, y+4, math.Pow10(e))
	}
	for i, n := range slices.Sorted(maps.Keys(lines)) {
		colour := colours[i%len(colours)]
		var path []string
		for _, p := range lines[n] {
			x, y := at(p)
			path = append(path, fmt.Sprintf("%.1f,%.1f", x, y))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x, y, colour)
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", strings.Join(path, " "), colour)
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s">%d %s</text>`+"\n", left+marginLeft+i*110, 38, colour, n, of)
	}
}

// axis is a logarithmic scale between two powers of ten.
type axis struct{ from, to int }

func scale(lines map[int][]point, of func(point) float64) axis {
	least, most := math.Inf(1), math.Inf(-1)
	for _, line := range lines {
		for _, p := range line {
			least, most = min(least, of(p)), max(most, of(p))
		}
	}
	a := axis{int(math.Floor(math.Log10(least))), int(math.Ceil(math.Log10(most)))}
	if a.to == a.from {
		a.to++
	}
	return a
}

// place is where a number stands, from 0 to 1.
func (a axis) place(n float64) float64 {
	return (math.Log10(n) - float64(a.from)) / float64(a.to-a.from)
}
