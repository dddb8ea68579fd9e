package identity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

func TestKept(t *testing.T) {
	var k Kept[int]
	now, made := time.Unix(0, 0), 0
	get := func(key string) int {
		t.Helper()
		value, err := k.get(param.FingerprintOf(key), func() (int, error) { made++; return made, nil }, now)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	if get("a") != 1 || get("b") != 2 || get("a") != 1 {
		t.Error("what was made is not kept")
	}
	now = now.Add(50 * time.Minute)
	get("a")
	now = now.Add(50 * time.Minute)
	if get("c") != 3 || len(k.all) != 2 || get("a") != 1 || get("b") != 4 {
		t.Errorf("what is not used does not go, or what is used does: %d are kept", len(k.all))
	}
	failure := errors.New("failure")
	if _, err := k.Get(param.FingerprintOf("d"), func() (int, error) { return 7, failure }); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	if get("d") != 5 {
		t.Error("a failure is kept")
	}
}

func TestCause(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8200}
	for want, err := range map[string]error{
		"dial 127.0.0.1:8200: connection refused":         &net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: syscall.ECONNREFUSED},
		"read: connection reset by peer":                  &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET},
		"tls: failed to verify certificate: not trusted":  &tls.CertificateVerificationError{Err: errors.New("not trusted")},
		"it did not answer in time":                       context.DeadlineExceeded,
		"it closed the connection":                        io.ErrUnexpectedEOF,
		"it did not answer as such a server does":         errors.New("S3NT1N3L"),
		"dial 127.0.0.1:8200: connection refused, nested": Unanswered("x", "y", &net.OpError{Op: "dial", Addr: addr, Err: syscall.ECONNREFUSED}),
	} {
		if got := Cause(fmt.Errorf("asking for S3NT1N3L: %w", err)); got != strings.TrimSuffix(want, ", nested") {
			t.Errorf("the cause of %v is %q, want %q", err, got, want)
		}
	}
	err := Unanswered("the store", "asking", errors.New("S3NT1N3L"))
	if scalers.ClassOf(err) != scalers.Unavailable || err.Error() != "the store, asking: it did not answer as such a server does" {
		t.Errorf("got %v", err)
	}
}

func TestSaying(t *testing.T) {
	secret := param.NewSecret("S3NT1N3L")
	for text, want := range map[string]string{
		"": "", "no\n right": ": no right", "no S3NT1N3L": ": no [redacted]", "\xff": "", strings.Repeat("x", 301): ": " + strings.Repeat("x", 300) + "…",
	} {
		if got := Saying(text, secret, param.Secret{}); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
