package store

import (
	"bytes"
	"strconv"
	"sync/atomic"

	"github.com/freshet-io/freshet/scalers"
)

const (
	// maxAnswer bounds what a server may answer to what was written at once, and
	// maxPush what it may tell at once without being asked.
	maxAnswer = 64 << 20
	maxPush   = 1 << 20
	// perElement is what an element of a list takes beside its text.
	perElement = 32
	// maxDepth bounds how deep lists may be nested, maxLine a line.
	maxDepth = 16
	maxLine  = 16 << 10
)

// redisFrames follows what a server sends: lines, of which some announce a text or
// a list that follows. It bounds answers, for the client allocates what one
// announces: a few bytes of a hostile server, or of one that speaks another
// protocol, would end this process. What the server tells without being asked it
// takes out.
type redisFrames struct {
	// left is how much more may be answered.
	left atomic.Int64
	// line is the beginning of a line, text how much of a text is to come, and
	// lists how many elements are to come of each list that is open.
	line  []byte
	text  int
	lists []int
	// pushed tells that it is in what the server tells, of which words are the texts
	// until now, and pushLeft is how much more may come.
	pushed   bool
	words    [][]byte
	pushLeft int64
}

// asked allows for the answer to a request.
func (f *redisFrames) asked() { f.left.Store(maxAnswer) }

// take follows b, appends what it has of answers to them, and calls told for
// everything that it has the end of that was told. What goes beyond the bounds is
// an error, and nothing of b is appended.
func (f *redisFrames) take(answers, b []byte, told func(words [][]byte)) ([]byte, error) {
	before := len(answers)
	for len(b) > 0 {
		if f.between() {
			f.pushed, f.pushLeft = b[0] == '>', maxPush
		}
		taken, ok := f.follow(b)
		if !ok {
			return answers[:before], errTooLarge
		}
		if !f.pushed {
			answers = append(answers, b[:taken]...)
		} else if f.between() {
			told(f.words)
			f.words = nil
		}
		b = b[taken:]
	}
	return answers, nil
}

var errTooLarge = scalers.UnavailableError("the server announces an answer that is too large")

// between tells whether neither an answer nor what is told has begun.
func (f *redisFrames) between() bool { return f.text == 0 && len(f.lists) == 0 && len(f.line) == 0 }

// follow takes a text, or a line, or a part of them.
func (f *redisFrames) follow(b []byte) (taken int, ok bool) {
	if f.text > 0 {
		taken = min(f.text, len(b))
		f.hear(b[:taken])
		if f.text -= taken; f.text == 0 {
			f.elementEnds()
		}
		return taken, true
	}
	taken = bytes.IndexByte(b, '\n') + 1
	whole := taken > 0
	if !whole {
		taken = len(b)
	}
	f.line = append(f.line, b[:taken]...)
	if ok = len(f.line) <= maxLine; ok && whole {
		line := bytes.TrimRight(f.line, "\r\n")
		f.line = f.line[:0]
		ok = f.lineEnds(line)
	}
	return taken, ok
}

// hear keeps a part of a text that is told, without the end of its line.
func (f *redisFrames) hear(part []byte) {
	if !f.pushed {
		return
	}
	last := len(f.words) - 1
	keep := max(0, min(len(part), f.text-len("\r\n")))
	f.words[last] = append(f.words[last], part[:keep]...)
}

// lineEnds tells whether what the line announces keeps to the bounds.
func (f *redisFrames) lineEnds(line []byte) bool {
	n, cost := announced(line), int64(len(line))
	if n < 0 { // it holds its value itself, or is nothing
		if f.pushed && len(line) > 0 && line[0] == '+' {
			f.words = append(f.words, bytes.Clone(line[1:]))
		}
		f.elementEnds()
		return f.spend(cost)
	}
	switch line[0] {
	case '$', '=', '!':
		f.text = n + len("\r\n")
		if f.pushed {
			f.words = append(f.words, nil)
		}
		return f.spend(cost + int64(n))
	case '%', '|':
		n *= 2
	}
	if n == 0 {
		f.elementEnds()
		return f.spend(cost)
	}
	f.lists = append(f.lists, n)
	return len(f.lists) <= maxDepth && f.spend(cost+int64(n)*perElement)
}

// announced is the length of the text or list that follows the line, -1 when
// none does.
func announced(line []byte) int {
	if len(line) == 0 || bytes.IndexByte([]byte("$=!%|*~>"), line[0]) < 0 {
		return -1
	}
	n, _ := strconv.Atoi(string(line[1:])) // where it is no number the client fails
	return min(n, maxAnswer)
}

// spend tells whether what comes still keeps to its bound.
func (f *redisFrames) spend(cost int64) bool {
	if f.pushed {
		f.pushLeft -= cost
		return f.pushLeft >= 0
	}
	return f.left.Add(-cost) >= 0
}

// elementEnds counts an element, which may be the last of its list, which is an
// element itself.
func (f *redisFrames) elementEnds() {
	for len(f.lists) > 0 {
		last := len(f.lists) - 1
		if f.lists[last]--; f.lists[last] > 0 {
			return
		}
		f.lists = f.lists[:last]
	}
}
