package main

import (
	"math"
	"slices"
	"time"
)

// quantile is the least of the durations that at least the share q of them do
// not exceed (nearest rank); 0 of none. It sorts them.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	rank := int(math.Ceil(q * float64(len(d))))
	return d[min(max(rank, 1), len(d))-1]
}

// round keeps three decimals, which is more than any figure here is worth.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }

func seconds(d time.Duration) float64 { return round(d.Seconds()) }

func millis(d time.Duration) float64 { return round(float64(d) / float64(time.Millisecond)) }

// spread is the middle and the worst of some durations, in seconds.
type spread struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func spreadOf(d []time.Duration) spread {
	return spread{seconds(quantile(d, 0.5)), seconds(quantile(d, 0.99)), seconds(quantile(d, 1))}
}
