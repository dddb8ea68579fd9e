package store

import "github.com/freshet-io/freshet/scalers"

// Empties counts readings of which the source answered with nothing.
type Empties struct {
	// Ignored were read as a number, Refused are errors.
	Ignored, Refused uint64
}

func (e *Empties) count(r scalers.Reading) {
	switch {
	case r.Err == nil && r.Value.Empty:
		e.Ignored++
	case scalers.IsEmpty(r.Err):
		e.Refused++
	}
}
