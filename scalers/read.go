package scalers

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// reader returns the untyped form of a kind's reads.
func reader[C Conn, T Trigger[C]](k Kind[C, T]) func(context.Context, Conn, []*Scaler, []Result) error {
	return func(ctx context.Context, conn Conn, batch []*Scaler, out []Result) error {
		c := conn.(C)
		if k.ReadAll == nil {
			for i, s := range batch {
				out[i].Value, out[i].Err = s.trigger.(T).Read(ctx, c)
			}
			return nil
		}
		triggers := make([]T, len(batch))
		for i, s := range batch {
			triggers[i] = s.trigger.(T)
		}
		return k.ReadAll(ctx, c, triggers, out)
	}
}

// Read reads batch, whose scalers share the source that conn is open to, into
// out, which is as long. Kinds that do not batch are read one after the other.
// The error concerns the whole connection: out is then void. A panic of the
// trigger's code is an error, and a value that is not finite is one of its
// result.
func Read(ctx context.Context, conn Conn, batch []*Scaler, out []Result) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	ctx = context.WithValue(ctx, kindKey{}, batch[0].Kind)
	if err := batch[0].Kind.read(ctx, conn, batch, out); err != nil {
		return err
	}
	for i := range out {
		if out[i].Err == nil && !out[i].Value.finite() {
			out[i].Err = errNotFinite
		}
	}
	return nil
}

type kindKey struct{}

// KindOf is the kind of the triggers that are being read in ctx, or nil when none
// are.
func KindOf(ctx context.Context) *Registration {
	kind, _ := ctx.Value(kindKey{}).(*Registration)
	return kind
}

// watch calls a kind's Watch. A panic of its code is an error.
func watch[C Conn, T Trigger[C]](ctx context.Context, k Kind[C, T], conn Conn, trigger T, event func(bool)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	return k.Watch(ctx, conn.(C), trigger, event)
}

var errNotFinite = &Error{Class: Unavailable, Err: errors.New("the source answered with a value that is not a finite number")}

// PanicError is a panic in a trigger's code.
type PanicError struct {
	// Value is what the code panicked with; Stack is where.
	Value any
	Stack []byte
}

// Error names the panic's value.
func (e *PanicError) Error() string { return fmt.Sprintf("the trigger's code panicked: %v", e.Value) }
