package stream

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers"
)

func at(index int32, start, end, committed int64) place {
	return place{partitionID{"t", index}, start, end, committed}
}

func TestLagOfAPartition(t *testing.T) {
	latest, earliest, zero := lagRules{}, lagRules{fromEarliest: true}, lagRules{fromEarliest: true, zeroOnInvalid: true}
	for _, tc := range []struct {
		reason string
		rules  lagRules
		place  place
		want   int64
	}{
		{"messages between the committed offset and the end", latest, at(0, 0, 10, 4), 6},
		{"everything is consumed", latest, at(0, 0, 10, 10), 0},
		{"committed at the very start", latest, at(0, 0, 10, 0), 10},
		{"retention deleted what was committed", latest, at(0, 7, 10, 4), 3},
		{"retention deleted everything", latest, at(0, 10, 10, 4), 0},
		{"retention deleted nothing that matters", latest, at(0, 3, 10, 4), 6},
		{"the topic was made anew: an offset beyond the end", latest, at(0, 0, 5, 900), 0},
		{"the log was cut between the two requests", latest, at(0, 12, 10, 4), 0},
		{"nothing committed, latest", latest, at(0, 0, 10, -1), 1},
		{"nothing committed, latest, empty", latest, at(0, 0, 0, -1), 1},
		{"nothing committed, earliest", earliest, at(0, 0, 10, -1), 10},
		{"nothing committed, earliest, after retention", earliest, at(0, 8, 10, -1), 2},
		{"nothing committed, earliest, empty", earliest, at(0, 8, 8, -1), 0},
		{"nothing committed, to zero", zero, at(0, 0, 10, -1), 0},
		{"committed, to zero", zero, at(0, 0, 10, 4), 6},
	} {
		if got := tc.rules.lag(tc.place); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.reason, got, tc.want)
		}
	}
}

func TestLagOfAGroup(t *testing.T) {
	behind := func(lags ...int64) []place {
		places := make([]place, len(lags))
		for i, lag := range lags {
			places[i] = at(int32(i), 0, lag, 0)
		}
		return places
	}
	const huge = math.MaxInt64
	for _, tc := range []struct {
		reason           string
		rules            lagRules
		places           []place
		stuck            []int32
		metric, activity float64
	}{
		{"the sum", lagRules{target: 10}, behind(3, 4, 5), nil, 12, 12},
		{"a recreated topic takes nothing away", lagRules{target: 10}, append(behind(3, 4), at(9, 0, 5, 900)), nil, 7, 7},
		{"capped at the partitions", lagRules{target: 10}, behind(100, 0, 0), nil, 30, 100},
		{"just above the cap", lagRules{target: 10}, behind(35, 0, 0), nil, 30, 35},
		{"at the cap", lagRules{target: 10}, behind(30, 0, 0), nil, 30, 30},
		{"idle consumers", lagRules{target: 10, idleConsumers: true}, behind(100, 0, 0), nil, 100, 100},
		{"capped at the partitions with a lag", lagRules{target: 10, onlyWithLag: true}, behind(100, 1, 0), nil, 20, 101},
		{"no partition has a lag", lagRules{target: 10, onlyWithLag: true}, behind(0, 0), nil, 0, 0},
		{"even: one replica", lagRules{target: 10, even: true}, behind(5, 0, 0, 0, 0, 0), nil, 10, 5},
		{"even: one replica without a lag", lagRules{target: 10, even: true}, behind(0, 0, 0, 0, 0, 0), nil, 10, 0},
		{"even: three replicas, not four of six partitions", lagRules{target: 10, even: true}, behind(30, 0, 0, 0, 0, 0), nil, 30, 30},
		{"even: six replicas, not four", lagRules{target: 10, even: true}, behind(31, 0, 0, 0, 0, 0), nil, 60, 31},
		{"even: not more than the partitions", lagRules{target: 10, even: true}, behind(900, 0, 0, 0, 0, 0), nil, 60, 900},
		{"even and idle consumers", lagRules{target: 10, even: true, idleConsumers: true}, behind(900, 0, 0), nil, 30, 900},
		{"stuck partitions decide activity alone", lagRules{target: 10}, behind(8, 4, 5), []int32{0}, 9, 17},
		{"all are stuck", lagRules{target: 10}, behind(8, 4), []int32{0, 1}, 0, 12},
		{"stuck partitions have no lag to limit to", lagRules{target: 1, onlyWithLag: true}, behind(8, 4), []int32{0}, 1, 12},
		{"a sum beyond all numbers", lagRules{target: 10, idleConsumers: true}, behind(huge, huge), nil, huge, huge},
		{"a product beyond all numbers", lagRules{target: huge, even: true}, behind(huge, huge), nil, huge, huge},
		{"a target beyond all lags", lagRules{target: huge}, behind(5), nil, 5, 5},
	} {
		stuck := map[partitionID]bool{}
		for _, i := range tc.stuck {
			stuck[partitionID{"t", i}] = true
		}
		want := scalers.Value{Metric: tc.metric, Activity: tc.activity}
		if diff := cmp.Diff(want, tc.rules.value(tc.places, stuck)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
		}
	}
}

// TestLagProperties draws places and rules and checks what holds for all of them.
func TestLagProperties(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 2))
	small := func(n int64) int64 { return draw.Int64N(n) }
	for range 20_000 {
		rules := lagRules{target: 1 + small(20), fromEarliest: small(2) == 0, zeroOnInvalid: small(4) == 0}
		switch small(4) {
		case 0:
			rules.idleConsumers = true
		case 1:
			rules.onlyWithLag = true
		case 2:
			rules.even = true
		}
		places := make([]place, 1+small(12))
		stuck := map[partitionID]bool{}
		var kept int64
		for i := range places {
			start := small(50)
			end := start + small(50)
			places[i] = at(int32(i), start, end, small(120)-10)
			kept += end - start
			stuck[places[i].partitionID] = small(5) == 0
		}
		v := rules.value(places, stuck)
		free := rules.value(places, nil)
		partitions := float64(len(places))
		replicas := v.Metric / float64(rules.target)
		check := func(holds bool, what string) {
			if !holds {
				t.Fatalf("%s: %+v of %+v, stuck %v, is %+v", what, rules, places, stuck, v)
			}
		}
		check(v.Metric >= 0 && v.Activity >= 0, "no lag is negative")
		check(v.Activity <= float64(kept)+partitions, "no more messages lag than there are")
		check(v.Activity == free.Activity, "activity heeds stuck partitions")
		check(rules.even || v.Metric <= v.Activity, "the metric is not above the whole lag")
		check(v.Metric <= free.Metric || rules.even, "stuck partitions ask for nothing")
		check(rules.idleConsumers || replicas <= partitions, "no replica is without a partition")
		if rules.even {
			check(replicas == math.Trunc(replicas) && math.Mod(partitions, replicas) == 0, "replicas divide partitions")
		}
		i := small(int64(len(places)))
		places[i].end += 1 + small(9)
		more := rules.value(places, stuck)
		check(more.Activity >= v.Activity && more.Metric >= v.Metric, "more messages do not lessen the lag")
		places[i].start = min(places[i].start+small(9), places[i].end)
		check(rules.value(places, stuck).Activity <= more.Activity, "retention does not add to the lag")
	}
}

func TestMarks(t *testing.T) {
	t0 := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const interval = 30 * time.Second
	type look struct {
		after time.Duration
		place place
		stuck bool
	}
	for name, looks := range map[string][]look{
		"a read between two polls does not shorten the interval": {
			{0, at(0, 0, 9, 4), false}, {15 * time.Second, at(0, 0, 9, 4), false}, {30 * time.Second, at(0, 0, 9, 4), true},
			{45 * time.Second, at(0, 0, 12, 4), true}, {50 * time.Second, at(0, 0, 12, 5), false}, {79 * time.Second, at(0, 0, 12, 5), false},
			{80 * time.Second, at(0, 0, 12, 5), true},
		},
		"messages that come to an idle partition are not stuck": {
			{0, at(0, 0, 4, 4), false}, {time.Hour, at(0, 0, 4, 4), false}, {time.Hour, at(0, 0, 9, 4), false},
			{time.Hour + interval, at(0, 0, 9, 4), true},
		},
		"an offset that goes back moves": {
			{0, at(0, 0, 9, 4), false}, {interval, at(0, 0, 9, 2), false}, {2 * interval, at(0, 0, 9, 2), true},
		},
		"nothing committed is not stuck": {
			{0, at(0, 0, 9, -1), false}, {time.Hour, at(0, 0, 9, -1), false}, {time.Hour, at(0, 0, 9, 0), false},
		},
		"a clock that goes back": {
			{time.Hour, at(0, 0, 9, 4), false}, {0, at(0, 0, 9, 4), false}, {time.Hour + interval, at(0, 0, 9, 4), true},
		},
		"messages that retention deleted": {
			{0, at(0, 0, 9, 4), false}, {interval, at(0, 9, 9, 4), false}, {2 * interval, at(0, 9, 12, 4), false},
		},
	} {
		var m marks
		for i, l := range looks {
			next, stuck := m.next([]place{l.place}, t0.Add(l.after), interval)
			if stuck[l.place.partitionID] != l.stuck {
				t.Errorf("%s: look %d: stuck is %v", name, i, !l.stuck)
			}
			m = next
		}
	}
	m, _ := marks(nil).next([]place{at(0, 0, 9, 4), at(1, 0, 9, 4)}, t0, interval)
	if m, _ = m.next([]place{at(1, 0, 9, 4)}, t0, interval); len(m) != 1 {
		t.Errorf("partitions that are gone are kept: %v", m)
	}
}
