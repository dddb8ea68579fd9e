package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Measures of the picture, in pixels, and its scale: how many tenfold steps
// there are on either side of the bound.
const (
	labelWidth = 380
	plotWidth  = 460
	valueWidth = 150
	lineHeight = 22
	headHeight = 64
	footHeight = 30
	decades    = 3
)

// Colours of marks: what is measured (a bound met, and missed) and the peer.
const (
	colourMet    = "#1a7f37"
	colourMissed = "#cf222e"
	colourPeer   = "#8c959f"
	colourText   = "#24292f"
)

// picture draws the rows with a bound: each figure as a multiple of its bound,
// on a logarithmic scale on which left is better. It is an SVG.
func picture(title string, rows []row) string {
	var drawn []row
	for _, r := range rows {
		if r.Target != nil {
			drawn = append(drawn, r)
		}
	}
	height := headHeight + lineHeight*len(drawn) + footHeight
	width := labelWidth + plotWidth + valueWidth
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="%s">`+"\n",
		width, height, width, height, colourText)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	text(&b, 10, 22, "start", `font-size="15" font-weight="bold"`, title)
	fmt.Fprintf(&b, `<circle cx="16" cy="40" r="5" fill="%s"/><circle cx="106" cy="40" r="5" fill="%s"/><rect x="206" y="35" width="9" height="9" fill="%s"/>`+"\n",
		colourMet, colourMissed, colourPeer)
	text(&b, 26, 44, "start", "", "bound met")
	text(&b, 116, 44, "start", "", "bound missed")
	text(&b, 221, 44, "start", "", "KEDA")
	axis(&b, height)
	for i, r := range drawn {
		line(&b, headHeight+lineHeight*i+lineHeight/2, r)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func axis(b *strings.Builder, height int) {
	for d := -decades; d <= decades; d++ {
		x, colour, label := place(math.Pow(10, float64(d))), "#d0d7de", "× "+number(math.Pow(10, float64(d)))
		if d == 0 {
			colour, label = colourText, "the bound"
		}
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s"/>`+"\n", x, headHeight-6, x, height-footHeight+4, colour)
		text(b, x, float64(height-10), "middle", `font-size="10"`, label)
	}
}

func line(b *strings.Builder, y int, r row) {
	text(b, labelWidth-10, float64(y+4), "end", "", r.Name)
	ours := place(multiple(r, r.Ours))
	if r.Peer != nil {
		peer := place(multiple(r, *r.Peer))
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s" stroke-width="2" stroke-opacity="0.4"/>`+"\n", ours, y, peer, y, colourPeer)
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="9" height="9" fill="%s"/>`+"\n", peer-4.5, y-5, colourPeer)
	}
	colour := colourMissed
	if *r.Met {
		colour = colourMet
	}
	fmt.Fprintf(b, `<circle cx="%.1f" cy="%d" r="5" fill="%s"/>`+"\n", ours, y, colour)
	text(b, labelWidth+plotWidth+10, float64(y+4), "start", fmt.Sprintf(`fill="%s"`, colour), strings.TrimSpace(number(r.Ours)+" "+r.Unit))
}

// multiple is a figure in terms of its bound, more being worse. A bound of 0 is
// kept or it is not.
func multiple(r row, v float64) float64 {
	switch {
	case *r.Target == 0 && v == 0:
		return 1
	case *r.Target == 0:
		return math.Inf(1)
	case r.AtLeast && v == 0:
		return math.Inf(1)
	case r.AtLeast:
		return *r.Target / v
	default:
		return v / *r.Target
	}
}

// place is where a multiple is on the scale; what is beyond it is at its end.
func place(multiple float64) float64 {
	at := math.Log10(multiple) / decades
	return labelWidth + plotWidth/2*(1+max(-1, min(1, at)))
}

func text(b *strings.Builder, x, y float64, anchor, attributes, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, attributes, html.EscapeString(s))
}
