package poll

import "time"

// schedule is a heap of groups by the time they are due, for container/heap.
type schedule []*group

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].due.Before(s[j].due) }

func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}

// Push adds x, a *group.
func (s *schedule) Push(x any) {
	g := x.(*group)
	g.place = len(*s)
	*s = append(*s, g)
}

// Pop removes the last group.
func (s *schedule) Pop() any {
	old := *s
	g := old[len(old)-1]
	old[len(old)-1] = nil
	g.place = -1
	*s = old[:len(old)-1]
	return g
}

// phase spreads the sources over the interval: the time after now at which a
// group of that interval, and of a source with hash h, is due next.
func phase(now time.Time, interval time.Duration, h uint64) time.Time {
	offset := time.Duration(h % uint64(interval))
	since := time.Duration(uint64(now.UnixNano()) % uint64(interval))
	wait := offset - since
	if wait <= 0 {
		wait += interval
	}
	return now.Add(wait)
}
