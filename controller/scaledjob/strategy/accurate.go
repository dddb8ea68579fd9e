package strategy

import "fmt"

// accurate is for sources whose work leaves them when a Job takes it: only Jobs
// that have not begun are subtracted, for the work of the others is gone.
//
//	more = asked − pending                 while that many may run, else
//	more = places − running
//
// With 10 items, of which one Job does 1, 4 Jobs running and 1 of them pending, 9
// more start: 3 items were taken already. With places for 12 Jobs, it is 8.
func accurate(in sum) (n int64, arithmetic string) {
	if in.asked+in.running-in.pending > in.places {
		return in.places - in.running, fmt.Sprintf("%d places − %d running", in.places, in.running)
	}
	return in.asked - in.pending, fmt.Sprintf("%d asked − %d pending", in.asked, in.pending)
}
