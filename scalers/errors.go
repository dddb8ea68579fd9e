package scalers

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Class is the policy of an error: what the host does about it and what the
// user is told to change.
type Class uint8

// The classes of errors.
const (
	// Unavailable: the source did not answer, or not with a number. The host
	// tries again after a back-off. Errors of no other class are of this one.
	Unavailable Class = iota
	// Configuration: the trigger asks for something that cannot be. Only a
	// change of the trigger or of the source's data helps.
	Configuration
	// Authentication: the source refused the credentials or their rights.
	Authentication
	// RateLimited: the source asked to be left alone for a while.
	RateLimited
)

// String is the class as it stands in conditions and metrics.
func (c Class) String() string {
	switch c {
	case Unavailable:
		return "unavailable"
	case Configuration:
		return "configuration"
	case Authentication:
		return "authentication"
	case RateLimited:
		return "rate limited"
	default:
		return fmt.Sprintf("Class(%d)", uint8(c))
	}
}

// Error is an error with a class.
type Error struct {
	// Class is the policy.
	Class Class
	// RetryAfter is how long a rate limited source asked to be left alone; 0
	// leaves it to the host.
	RetryAfter time.Duration
	// Empty tells that the source answered, with nothing. It is for self-metrics.
	Empty bool
	// Err is the cause, whose text the user reads.
	Err error
}

// Error is the cause's text: the class is policy, not prose.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ConfigurationError makes an error of class Configuration.
func ConfigurationError(format string, args ...any) error {
	return &Error{Class: Configuration, Err: fmt.Errorf(format, args...)}
}

// AuthenticationError makes an error of class Authentication.
func AuthenticationError(format string, args ...any) error {
	return &Error{Class: Authentication, Err: fmt.Errorf(format, args...)}
}

// UnavailableError makes an error of class Unavailable.
func UnavailableError(format string, args ...any) error {
	return &Error{Class: Unavailable, Err: fmt.Errorf(format, args...)}
}

// RateLimitedError makes an error of class RateLimited.
func RateLimitedError(after time.Duration, format string, args ...any) error {
	return &Error{Class: RateLimited, RetryAfter: after, Err: fmt.Errorf(format, args...)}
}

// ClassOf returns the class of err: that of the first [Error] in its chain,
// else Unavailable.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Unavailable
}

// RetryAfterOf returns how long the source asked to be left alone, or 0.
func RetryAfterOf(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// IsEmpty tells whether err is that the source answered with nothing.
func IsEmpty(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Empty
}

// IsTimeout tells whether err is a deadline that passed, of ours or the
// network's.
func IsTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &t) && t.Timeout())
}
