package main

import (
	"bytes"
	"errors"
	"strconv"
)

// frames cuts a stream of the Redis protocol, in either direction and version,
// into its top-level values. Nothing is kept of a value but its kind and, of an
// array of strings, the first few: the name of a command and its arguments.
type frames struct {
	rest []byte // of a line or string that has not come to its end
	skip int    // bytes of a long string still to come
	open []int  // elements still to come of each aggregate, outermost first

	kind byte
	args []string
}

// kept is how many strings of an array are kept, and keptSize how much of each.
const (
	kept     = 5
	keptSize = 128
)

var errProtocol = errors.New("this is not the Redis protocol")

// feed takes in what was read and calls each for every value that it completes.
func (f *frames) feed(text []byte, each func(kind byte, args []string)) error {
	f.rest = append(f.rest, text...)
	at := 0
	for at < len(f.rest) {
		if f.skip > 0 {
			n := min(f.skip, len(f.rest)-at)
			f.skip -= n
			at += n
			if f.skip == 0 {
				f.close(each)
			}
			continue
		}
		end := bytes.IndexByte(f.rest[at:], '\n')
		if end < 0 {
			break
		}
		used, err := f.take(f.rest[at:at+end+1], f.rest[at+end+1:], each)
		if err != nil {
			return err
		}
		if used < 0 { // a string that is kept has not come to its end
			break
		}
		at += end + 1 + used
	}
	f.rest = append(f.rest[:0], f.rest[at:]...)
	return nil
}

// take takes one line and, of what follows, the string that it announces. It
// returns how much of that it used, -1 when more must come first.
func (f *frames) take(line, follows []byte, each func(byte, []string)) (int, error) {
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return 0, errProtocol
	}
	kind, text := line[0], string(line[1:len(line)-2])
	switch kind {
	case '+', '-', ':', '_', '#', ',', '(':
		f.begin(kind)
		f.keep(text)
		f.close(each)
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < -1 {
		return 0, errProtocol
	}
	switch kind {
	case '$', '!', '=':
		return f.takeString(kind, n, follows, each), nil
	case '%', '|':
		n *= 2
		fallthrough
	case '*', '~', '>':
		f.begin(kind)
		if kind == '|' { // attributes come before the value that they are of
			n++
		}
		if n <= 0 {
			f.close(each)
		} else {
			f.open = append(f.open, n)
		}
		return 0, nil
	}
	return 0, errProtocol
}

func (f *frames) takeString(kind byte, n int, follows []byte, each func(byte, []string)) int {
	const crlf = 2
	switch {
	case n < 0:
		f.begin(kind)
		f.keep("")
		f.close(each)
		return 0
	case n <= keptSize && len(follows) < n+crlf:
		return -1
	case n <= keptSize:
		f.begin(kind)
		f.keep(string(follows[:n]))
		f.close(each)
		return n + crlf
	}
	f.begin(kind)
	f.keep("")
	f.skip = n + crlf
	return 0
}

// begin notes the kind of a top-level value.
func (f *frames) begin(kind byte) {
	if len(f.open) == 0 {
		f.kind, f.args = kind, nil
	}
}

func (f *frames) keep(text string) {
	if len(f.args) < kept {
		f.args = append(f.args, text)
	}
}

// close ends one value, and each aggregate that it was the last element of.
func (f *frames) close(each func(byte, []string)) {
	for len(f.open) > 0 {
		last := len(f.open) - 1
		if f.open[last]--; f.open[last] > 0 {
			return
		}
		f.open = f.open[:last]
	}
	each(f.kind, f.args)
}
