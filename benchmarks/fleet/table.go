package main

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
)

// row is one line of the table: a figure beside what it should be and what the
// peer gave.
type row struct {
	Name string  `json:"name"`
	Unit string  `json:"unit,omitempty"`
	Ours float64 `json:"ours"`
	// Target is the bound, when there is one: at most, or at least.
	Target  *float64 `json:"target,omitempty"`
	AtLeast bool     `json:"atLeast,omitempty"`
	// Peer is KEDA's figure, see benchmarks/README.md, when there is one.
	Peer *float64 `json:"peer,omitempty"`
	Met  *bool    `json:"met,omitempty"`
}

// bound returns the row with a target, and says whether it is met.
func (r row) bound(target float64) row {
	met := r.Ours <= target
	if r.AtLeast {
		met = r.Ours >= target
	}
	r.Target, r.Met = &target, &met
	return r
}

// beside returns the row with the peer's figure.
func (r row) beside(peer float64) row {
	r.Peer = &peer
	return r
}

// tableOf is a row for each figure that was measured.
func tableOf(r *result) []row {
	var rows []row
	add := func(more ...row) { rows = append(rows, more...) }
	if f := r.Ready; f != nil {
		// The peer had 488 of 1,000 then.
		add(row{Name: "until all objects have an HPA and are Ready", Unit: "s", Ours: f.Seconds}.bound(20).beside(420))
		add(row{Name: "objects without an HPA or not Ready", Ours: float64(r.Settings.Objects - min(f.HPAs, f.Objects))}.bound(0).beside(512))
		if w := f.Work; w != nil {
			add(row{Name: "until Ready: CPU of the kube-apiserver, each object", Unit: "ms", Ours: w.CPU},
				row{Name: "until Ready: requests to it, each object", Ours: w.Total})
			if w.Own > 0 {
				add(row{Name: "until Ready: … of the autoscaler itself", Ours: w.Own})
			}
		}
	}
	if u := r.Steady; u != nil {
		if u.Processes > 0 {
			add(row{Name: "steady: CPU", Unit: "% of a core", Ours: u.CPUPercent}.bound(4).beside(13.9),
				row{Name: "steady: resident memory", Unit: "MiB", Ours: u.ResidentMiB}.bound(150).beside(466),
				row{Name: "steady: … without the program's own pages", Unit: "MiB", Ours: u.AnonymousMiB})
		}
		add(row{Name: "steady: connections to Redis", Ours: float64(u.Connections)}.bound(2).beside(1000),
			row{Name: "steady: Redis commands", Unit: "/s", Ours: u.CommandsPerSecond}.beside(156),
			row{Name: "steady: round trips to Redis", Unit: "/s", Ours: u.RoundTripsPerSecond})
	}
	add(readRows(r.Reads)...)
	if u := r.Idle; u != nil {
		add(row{Name: "idle: reads of Redis", Unit: "/s", Ours: u.ReadsPerSecond}.bound(1).beside(33),
			row{Name: "idle: round trips to Redis", Unit: "/s", Ours: u.RoundTripsPerSecond})
		if u.Processes > 0 {
			add(row{Name: "idle: CPU", Unit: "% of a core", Ours: u.CPUPercent},
				row{Name: "idle: resident memory", Unit: "MiB", Ours: u.ResidentMiB})
		}
	}
	if a := r.Activate; a != nil {
		add(row{Name: "0 → first replica, p50", Unit: "s", Ours: a.First.P50}.bound(0.1).beside(15.3),
			row{Name: "0 → first replica, max", Unit: "s", Ours: a.First.Max}.bound(0.5).beside(27.3),
			row{Name: "0 → demanded replicas, p50", Unit: "s", Ours: a.Demanded.P50}.bound(0.15).beside(24.6),
			row{Name: "0 → demanded replicas, max", Unit: "s", Ours: a.Demanded.Max}.bound(0.6).beside(36.8))
	}
	return append(rows, faultRows(r)...)
}

func faultRows(r *result) []row {
	var rows []row
	if f := r.Faults; f != nil {
		rows = append(rows, row{Name: "faults: lateness of the other sources, p99", Unit: "s", Ours: f.Lateness.P99}.bound(1))
		if f.SelfLateness != nil {
			rows = append(rows, row{Name: "faults: the same by its own word, p99", Unit: "s", Ours: f.SelfLateness.P99})
		}
		if f.Before.Processes > 0 {
			rows = append(rows, row{Name: "faults: CPU as they begin, against that without", Unit: "×", Ours: f.CPURatioFirst},
				row{Name: "faults: CPU while they last, against that without", Unit: "×", Ours: f.CPURatio}.bound(1.5))
		}
		rows = append(rows,
			row{Name: "faults over: every reading fresh after", Unit: "s", Ours: f.Fresh.Max}.bound(10),
			row{Name: "faults over: readings that stayed stale", Ours: float64(f.Stale)}.bound(0),
			row{Name: "faults: changes of replicas", Ours: float64(f.ReplicaChanges)}.bound(0))
	}
	if f := r.Restart; f != nil {
		rows = append(rows,
			row{Name: "restart: all metrics served after", Unit: "s", Ours: f.Served.Max}.bound(10),
			row{Name: "restart: metrics that were not served", Ours: float64(f.Unserved)}.bound(0),
			row{Name: "restart: changes of replicas", Ours: float64(f.ReplicaChanges)}.bound(0),
			row{Name: "restart: requests in flight at a source, max", Ours: float64(f.MostInFlight)}.bound(2))
	}
	return rows
}

// peerReads are the peer's by server and connections: p50, p99 and a second.
var peerReads = map[string]map[int][3]float64{
	"adapter":        {1: {1.2, 8.2, 663}, 5: {3.3, 17, 1249}, 32: {13, 46, 2154}},
	"kube-apiserver": {5: {7.1, 55, 584}},
}

// readRows set the adapter's reads beside those of the constant server.
func readRows(reads []readFigures) []row {
	constants := map[int]readFigures{}
	for _, f := range reads {
		if f.Server == "constant" {
			constants[f.Connections] = f
		}
	}
	var rows []row
	for _, f := range reads {
		if f.Server == "constant" {
			continue
		}
		name := fmt.Sprintf("read, %d connections", f.Connections)
		if f.Server != "adapter" {
			name += " to the " + f.Server
		}
		three := []row{
			{Name: name + ": p50", Unit: "ms", Ours: f.P50},
			{Name: name + ": p99", Unit: "ms", Ours: f.P99},
			{Name: name + ": throughput", Unit: "/s", Ours: f.PerSecond, AtLeast: true},
		}
		c, compared := constants[f.Connections]
		peer, known := peerReads[f.Server][f.Connections]
		for i, target := range []float64{c.P50, c.P99, c.PerSecond} {
			if compared && f.Server == "adapter" {
				three[i] = three[i].bound(target)
			}
			if known {
				three[i] = three[i].beside(peer[i])
			}
		}
		rows = append(rows, three...)
		if compared && f.Server == "adapter" && f.ServerCPUPerRead > 0 && c.ServerCPUPerRead > 0 {
			rows = append(rows, row{Name: name + ": server CPU a read", Unit: "µs", Ours: f.ServerCPUPerRead}.bound(c.ServerCPUPerRead))
		}
		if f.Bad > 0 {
			rows = append(rows, row{Name: name + ": answers without a value", Ours: float64(f.Bad)}.bound(0))
		}
	}
	return rows
}

// tableText is the table for people.
func tableText(rows []row) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tmeasured\tbound\tpeer\t")
	missed := 0
	for _, r := range rows {
		bound, peer, verdict := "–", "–", ""
		if r.Target != nil {
			bound = "≤ " + number(*r.Target)
			if r.AtLeast {
				bound = "≥ " + number(*r.Target)
			}
			verdict = "met"
			if !*r.Met {
				verdict = "MISSED"
				missed++
			}
		}
		if r.Peer != nil {
			peer = number(*r.Peer)
		}
		fmt.Fprintf(w, "%s\t%s %s\t%s\t%s\t%s\n", r.Name, number(r.Ours), r.Unit, bound, peer, verdict)
	}
	_ = w.Flush() // to memory
	fmt.Fprintf(&text, "%d of %d bounds met. Bounds and the peer's figures (KEDA, main of August 2026) are for 1,000 objects on 2 cores;\n"+
		"bounds of reads are what the constant server gave in this run.\n", bounds(rows)-missed, bounds(rows))
	return text.String()
}

func bounds(rows []row) int {
	n := 0
	for _, r := range rows {
		if r.Target != nil {
			n++
		}
	}
	return n
}

// number is a figure without digits that mean nothing.
func number(v float64) string {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}
