package strategy

import (
	"fmt"
	"math"
)

// custom subtracts what the user says: a number, and a share of what runs.
//
//	more = asked − deduction − ⌊running × share⌋, at most places
//
// With 10 items, of which one Job does 1, 4 Jobs running, a deduction of 1 and a
// share of 0.5, 7 more start. Whatever the share, no more run than may.
func custom(in sum, deduction int64, share float64) (n int64, arithmetic string) {
	part := int64(math.Floor(float64(in.running) * share))
	return min(in.asked-deduction-part, in.places),
		fmt.Sprintf("%d asked − %d deducted − %d of %d running", in.asked, deduction, part, in.running)
}
