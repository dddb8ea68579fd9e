package strategy

import "fmt"

// standard is the default strategy, for sources that go on counting work until it
// is done: what runs is subtracted from what is asked for.
//
//	more = asked − running
//
// With 10 items, of which one Job does 1, and 4 Jobs running, 6 more start. Two of
// the 4 end and their items leave: 8 items − 8 running is 0 more.
func standard(in sum) (n int64, arithmetic string) {
	return in.asked - in.running, fmt.Sprintf("%d asked − %d running", in.asked, in.running)
}
