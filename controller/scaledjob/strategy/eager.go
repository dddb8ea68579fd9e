package strategy

import "fmt"

// eager fills the places that are free as fast as there is work, for Jobs that run
// long and take their work at once: what runs does not count against what waits.
//
//	more = asked, at most places − running − pending
//
// With 3 items, of which one Job does 1, and 3 of 10 places taken, 3 more start
// where the default strategy starts none. A Job that is pending takes two places:
// its own, and that of its work, which is still counted.
func eager(in sum) (n int64, arithmetic string) {
	free := in.places - in.running - in.pending
	return min(free, in.asked), fmt.Sprintf("%d asked, at most %d places − %d running − %d pending", in.asked, in.places, in.running, in.pending)
}
