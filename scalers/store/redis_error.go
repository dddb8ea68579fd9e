package store

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/freshet-io/freshet/scalers"
)

// fault is the error that the query was answered with, if any.
func (q *redisQuery) fault() error {
	err := q.Err()
	switch {
	case err == nil:
		return nil
	case isClassed(err):
		return err
	case redis.HasErrorPrefix(err, "NOPERM"):
		return scalers.AuthenticationError("the user lacks a right: allow it %s on key %q: %w", q.command(), q.key, err)
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		return scalers.ConfigurationError("key %q is of another type: %w", q.key, err)
	default:
		return redisError(err)
	}
}

// command is the query's words before the key.
func (q *redisQuery) command() string {
	var words []string
	for _, arg := range q.Args() {
		word, ok := arg.(string)
		if !ok || word == q.key {
			break
		}
		words = append(words, strings.ToUpper(word))
	}
	return strings.Join(words, " ")
}

// isClassed tells whether an error is in our words already.
func isClassed(err error) bool {
	var classed *scalers.Error
	return errors.As(err, &classed)
}

// ofKey tells whether an error is about the key asked for, not the server.
func ofKey(err error) bool {
	if isClassed(err) {
		return false
	}
	return redis.HasErrorPrefix(err, "WRONGTYPE") || redis.HasErrorPrefix(err, "NOPERM") ||
		redis.HasErrorPrefix(err, "NOGROUP") || isNoSuchKey(err)
}

// isNoSuchKey tells whether the command wants a key to exist, and it does not.
func isNoSuchKey(err error) bool { return redis.HasErrorPrefix(err, "no such key") }

// redisError gives an error of the server or the network its class.
func redisError(err error) error {
	if isClassed(err) {
		return err
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			return scalers.UnavailableError("the server closed the connection: %w", err)
		}
		return err
	}
	text := reply.Error()
	code, _, _ := strings.Cut(text, " ")
	switch {
	case errors.Is(err, redis.Nil):
		return scalers.UnavailableError("the server answers with nothing")
	case code == "WRONGPASS" || code == "NOAUTH" || strings.Contains(text, "invalid password") ||
		strings.Contains(text, "without any password configured"):
		return scalers.AuthenticationError("the server refused the credentials: check parameters username and password: %w", err)
	case code == "NOPERM":
		return scalers.AuthenticationError("the user lacks a right: allow it what the server names: %w", err)
	case code == "WRONGTYPE", strings.Contains(text, "DB index is out of range"):
		return scalers.ConfigurationError("%w", err)
	case strings.Contains(text, "unknown command"):
		return scalers.ConfigurationError("the server does not know the command, as it is too old or of another kind: %w", err)
	case code == "MOVED" || code == "ASK":
		return scalers.UnavailableError("the key is at another node of a cluster, which the redis-cluster triggers find: %w", err)
	default:
		return scalers.UnavailableError("%w", err)
	}
}

// redisErrorAt is redisError of a server that the user may not have named.
func redisErrorAt(address string, err error) error {
	classed := redisError(err)
	var e *scalers.Error
	if errors.As(classed, &e) {
		return &scalers.Error{Class: e.Class, Err: fmt.Errorf("%s: %w", address, classed)}
	}
	return fmt.Errorf("%s: %w", address, classed)
}
