package local

import (
	"context"
	"errors"
	"fmt"
)

// Stage is what a program sets up, and tears down in reverse.
type Stage struct{ undo []func() error }

// Step is a part of setting up.
type Step struct {
	// Name is what it sets up.
	Name string
	// Do sets it up.
	Do func(context.Context) error
}

// SetUp does the steps, with a line for each. What was set up before an error is
// still to be torn down.
func SetUp(ctx context.Context, steps ...Step) error {
	for _, step := range steps {
		fmt.Printf("== %s\n", step.Name)
		if err := step.Do(ctx); err != nil {
			return errors.Join(ctx.Err(), fmt.Errorf("%s: %w", step.Name, err))
		}
	}
	return nil
}

// Later has f called by [Stage.TearDown].
func (s *Stage) Later(f func() error) { s.undo = append(s.undo, f) }

// TearDown undoes what was set up, the last first.
func (s *Stage) TearDown() error {
	var errs []error
	for i := len(s.undo) - 1; i >= 0; i-- {
		errs = append(errs, s.undo[i]())
	}
	return errors.Join(errs...)
}
