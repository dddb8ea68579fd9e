package queue_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// wantClass reads s and wants an error of the class that holds the texts.
func wantClass(t *testing.T, s *scalers.Scaler, want scalers.Class, texts ...string) {
	t.Helper()
	r := read(t, s)
	if r.Err == nil {
		t.Errorf("read %v, want an error of class %s", r.Value, want)
		return
	}
	text := r.Err.Error()
	if got := scalers.ClassOf(r.Err); got != want || strings.Contains(text, "\n") || strings.Contains(text, "S3NT1N3L") {
		t.Errorf("the error is of class %s, want %s: %q", got, want, text)
	}
	for _, part := range texts {
		if !strings.Contains(text, part) {
			t.Errorf("the error does not hold %q: %s", part, text)
		}
	}
}

func TestRabbitMQCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.queue("orders", 3)
	w.settled(1, func(q m) bool { return q["messages"] == "3" })
	w.manage(http.MethodPut, "/api/users/reader", m{"password": "S3NT1N3L:/?#", "tags": "management"})
	w.manage(http.MethodPut, w.path("permissions")+"/reader", m{"configure": "", "write": "", "read": "orders"})
	amqp, http := "amqp://"+w.AMQPAddr()+"/"+w.vhost, "http://"+w.HTTPAddr()+"/"+w.vhost
	inURL := func(address, user string) string { return strings.Replace(address, "://", "://"+user+"@", 1) }
	reader := m{"username": "reader", "password": "S3NT1N3L:/?#"}
	for _, tc := range []struct {
		reason   string
		s        *scalers.Scaler
		want     string
		class    scalers.Class
		contains []string
	}{
		{"AMQP: guest, as the protocol's addresses have it", trigger(t, amqp, "orders", nil, nil), "3", 0, nil},
		{"AMQP: a user with no right but to see", trigger(t, amqp, "orders", nil, reader), "3", 0, nil},
		{"AMQP: the same in the address", trigger(t, inURL(amqp, "reader:S3NT1N3L%3A%2F%3F%23"), "orders", nil, nil), "3", 0, nil},
		{"AMQP: the parameters come first", trigger(t, inURL(amqp, "x:y"), "orders", nil, reader), "3", 0, nil},
		{"AMQP: a wrong password", trigger(t, inURL(amqp, "reader:S3NT1N3L"), "orders", nil, nil), "", scalers.Authentication, []string{`login of user "reader"`}},
		{"AMQP: nobody", trigger(t, inURL(amqp, "nobody:S3NT1N3L"), "orders", nil, nil), "", scalers.Authentication, []string{`login of user "nobody"`}},
		{"AMQP: no such virtual host", trigger(t, amqp, "orders", m{"vhostName": "nowhere"}, nil), "", scalers.Configuration, []string{`no virtual host "nowhere"`}},
		{"AMQP: a virtual host that is not the user's", trigger(t, amqp, "orders", m{"vhostName": "/"}, reader), "", scalers.Authentication, []string{`user "reader" may not use virtual host "/"`}},
		{"HTTP: a user", trigger(t, http, "orders", nil, reader), "3", 0, nil},
		{"HTTP: in the address", trigger(t, inURL(http, "reader:S3NT1N3L%3A%2F%3F%23"), "orders", nil, nil), "3", 0, nil},
		{"HTTP: nobody is given", trigger(t, http, "orders", nil, nil), "", scalers.Authentication, []string{"401"}},
		{"HTTP: a wrong password", trigger(t, inURL(http, "reader:S3NT1N3L"), "orders", nil, nil), "", scalers.Authentication, []string{"refused", "Login failed"}},
		{"HTTP: no such virtual host", trigger(t, http, "orders", m{"vhostName": "nowhere"}, reader), "", scalers.Configuration, []string{`no queue "orders" in virtual host "nowhere"`}},
		{"HTTP: nor to list", trigger(t, http, "orders", m{"vhostName": "nowhere", "useRegex": "true"}, reader), "", scalers.Configuration, []string{`no virtual host "nowhere"`}},
		{"HTTP: a virtual host that is not the user's", trigger(t, http, "orders", m{"vhostName": "/"}, reader), "", scalers.Authentication, []string{"refused"}},
		{"HTTP: another path", trigger(t, "http://"+w.HTTPAddr()+"/elsewhere/"+w.vhost, "orders", nil, reader), "", scalers.Configuration, []string{"404"}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			if tc.want == "" {
				wantClass(t, tc.s, tc.class, tc.contains...)
				return
			}
			if r := read(t, tc.s); outcome(r) != tc.want {
				t.Errorf("read %s, %v; want %s", outcome(r), r.Err, tc.want)
			}
		})
	}
	// What one virtual host refuses does not cost another its numbers.
	batch := []*scalers.Scaler{trigger(t, http, "orders", m{"vhostName": "/"}, reader), trigger(t, http, "orders", nil, reader)}
	out, err := readOn(t, scalertest.Open(t, batch[0]), batch...)
	if got := strings.Join(outcomes(out), " "); err != nil || got != "authentication 3" {
		t.Errorf("read %s, %v", got, err)
	}
}

func TestRabbitMQTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.queue("orders", 3)
	w.settled(1, func(q m) bool { return q["messages"] == "3" })
	w.manage(http.MethodPut, "/api/users/worker", m{"password_hash": "", "tags": "management"})
	w.manage(http.MethodPut, w.path("permissions")+"/worker", m{"configure": "", "write": "", "read": ".*"})
	stranger, err := servers.NewAuthority("stranger")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue("worker")
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := authority.Issue("unknown")
	if err != nil {
		t.Fatal(err)
	}
	locked, err := pair.EncryptedKey("S3NT1N3L")
	if err != nil {
		t.Fatal(err)
	}
	amqps, https := "amqps://"+w.AMQPSAddr()+"/"+w.vhost, "https://guest:guest@"+w.HTTPSAddr()+"/"+w.vhost
	enable := func(auth m) m { auth["tls"] = "enable"; return auth }
	for _, tc := range []struct {
		reason string
		s      *scalers.Scaler
		want   string
		class  scalers.Class
	}{
		{"AMQP: an authority to trust", trigger(t, amqps, "orders", nil, m{"ca": authority.PEM}), "3", 0},
		{"AMQP: no checks", trigger(t, amqps, "orders", m{"unsafeSsl": "true"}, nil), "3", 0},
		{"AMQP: the system's authorities", trigger(t, amqps, "orders", nil, nil), "", scalers.Unavailable},
		{"AMQP: another authority", trigger(t, amqps, "orders", nil, m{"ca": stranger.PEM}), "", scalers.Unavailable},
		{"AMQP: the certificate logs in", trigger(t, amqps, "orders", nil, enable(m{"ca": authority.PEM, "cert": pair.Cert, "key": pair.Key})), "3", 0},
		{"AMQP: with a key that has a password", trigger(t, amqps, "orders", nil,
			enable(m{"ca": authority.PEM, "cert": pair.Cert, "key": locked, "keyPassword": "S3NT1N3L"})), "3", 0},
		{"AMQP: but not that of somebody unknown", trigger(t, amqps, "orders", nil,
			enable(m{"ca": authority.PEM, "cert": unknown.Cert, "key": unknown.Key})), "", scalers.Authentication},
		{"AMQP: a user comes before the certificate", trigger(t, amqps, "orders", nil,
			enable(m{"ca": authority.PEM, "cert": unknown.Cert, "key": unknown.Key, "username": "guest", "password": "guest"})), "3", 0},
		{"AMQP: without tls the certificate is not shown", trigger(t, amqps, "orders", nil,
			m{"ca": authority.PEM, "cert": unknown.Cert, "key": unknown.Key}), "3", 0},
		{"AMQP: TLS to a port without", trigger(t, "amqps://"+w.AMQPAddr(), "orders", m{"unsafeSsl": "true"}, nil), "", scalers.Unavailable},
		{"AMQP: a port with TLS", trigger(t, "amqp://"+w.AMQPSAddr(), "orders", nil, nil), "", scalers.Unavailable},
		{"HTTP: an authority to trust", trigger(t, https, "orders", nil, m{"ca": authority.PEM}), "3", 0},
		{"HTTP: no checks", trigger(t, https, "orders", m{"unsafeSsl": "true"}, nil), "3", 0},
		{"HTTP: a certificate as well", trigger(t, https, "orders", nil, enable(m{"ca": authority.PEM, "cert": pair.Cert, "key": pair.Key})), "3", 0},
		{"HTTP: the system's authorities", trigger(t, https, "orders", nil, nil), "", scalers.Unavailable},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			if tc.want == "" {
				wantClass(t, tc.s, tc.class)
				return
			}
			if r := read(t, tc.s); outcome(r) != tc.want {
				t.Errorf("read %s, %v; want %s", outcome(r), r.Err, tc.want)
			}
		})
	}
}

// TestRabbitMQServerThatNeverAnswers reads within a deadline, or until it is
// canceled, from a server that takes connections and is silent.
func TestRabbitMQServerThatNeverAnswers(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for scheme, end := range map[string]func() (context.Context, context.CancelFunc){
		"a deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 100*time.Millisecond)
		},
		"cancellation": func() (context.Context, context.CancelFunc) { return canceledSoon(t) },
	} {
		for _, host := range []string{"amqp://", "amqps://", "http://", "https://"} {
			s := trigger(t, host+l.Addr().String(), "orders", nil, nil)
			ctx, cancel := end()
			began := time.Now()
			conn, err := s.Source.Open(ctx)
			if err == nil {
				var out [1]scalers.Result
				err = scalers.Read(ctx, conn, []*scalers.Scaler{s}, out[:])
				_ = conn.Close()
			}
			cancel()
			if took := time.Since(began); err == nil || took > 10*time.Second {
				t.Errorf("%s, %s: %v after %s", scheme, host, err, took)
			}
			if scheme == "a deadline" && !scalers.IsTimeout(err) {
				t.Errorf("%s: the error is no time-out: %v", host, err)
			}
		}
	}
}

func canceledSoon(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	return ctx, cancel
}
