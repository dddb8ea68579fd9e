package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// stage is a resolver with a clock that is moved, and a server that says what it
// is told to.
type stage struct {
	*testing.T
	r   *Resolver
	log bytes.Buffer

	mu    sync.Mutex
	now   time.Time
	calls int
	says  func(ctx context.Context) (Answer, error)
}

func newStage(t *testing.T) *stage {
	s := &stage{T: t, now: time.Unix(1e9, 0)}
	s.r = &Resolver{Options: Options{Timeout: 100 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&s.log, nil)), Now: func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.now
	}}}
	return s
}

// asked is how many calls were made.
func (s *stage) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// say has the server say what f does from now on.
func (s *stage) say(f func(ctx context.Context) (Answer, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says = f
}

func (s *stage) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// answer has the server say the text from now on.
func (s *stage) answer(text string, a Answer) {
	a.Values = map[string]param.Secret{"": param.NewSecret(text)}
	s.say(func(context.Context) (Answer, error) { return a, nil })
}

// fail has the server answer with an error from now on.
func (s *stage) fail(err error) {
	s.say(func(ctx context.Context) (Answer, error) {
		connect(ctx)
		return Answer{}, err
	})
}

// unreachable has nobody answer from now on.
func (s *stage) unreachable(err error) {
	s.say(func(context.Context) (Answer, error) { return Answer{}, err })
}

// connect tells that a connection was had.
func connect(ctx context.Context) { httptrace.ContextClientTrace(ctx).GotConn(httptrace.GotConnInfo{}) }

func (s *stage) question(name string) Question {
	return Question{Key: param.FingerprintOf(name), Server: "the store", Ask: func(ctx context.Context) (Answer, error) {
		s.mu.Lock()
		s.calls++
		says := s.says
		s.mu.Unlock()
		return says(ctx)
	}}
}

// expect asks and wants the text, as many calls so far, and to ask again then.
func (s *stage) expect(name, text string, calls int, again time.Duration) {
	s.Helper()
	answer, wait, err := s.r.ask(s.Context(), s.question(name))
	if err != nil || answer.Values[""].Reveal() != text || s.asked() != calls || wait != again {
		s.Fatalf("got %q, %v after %d calls, again in %s; want %q after %d calls, again in %s",
			answer.Values[""].Reveal(), err, s.asked(), wait, text, calls, again)
	}
}

func (s *stage) expectError(name string, class scalers.Class, text string, calls int, again time.Duration) {
	s.Helper()
	answer, wait, err := s.r.ask(s.Context(), s.question(name))
	if err == nil || scalers.ClassOf(err) != class || !strings.Contains(err.Error(), text) || len(answer.Values) > 0 || s.asked() != calls || wait != again {
		s.Fatalf("got %v, %v after %d calls, again in %s; want %s %q after %d calls, again in %s",
			answer.Values, err, s.asked(), wait, class, text, calls, again)
	}
}

func TestAskOnceAPeriod(t *testing.T) {
	s := newStage(t)
	s.answer("one", Answer{})
	s.expect("q", "one", 1, time.Minute)
	s.answer("two", Answer{})
	s.advance(59 * time.Second)
	s.expect("q", "one", 1, time.Second)
	s.advance(time.Second)
	s.expect("q", "two", 2, time.Minute)
	s.expect("another", "two", 3, time.Minute)
	s.expect("q", "two", 3, time.Minute)
}

func TestAskWhenTheAnswerSays(t *testing.T) {
	s := newStage(t)
	s.answer("short", Answer{Next: s.now.Add(10 * time.Second)})
	s.expect("q", "short", 1, 10*time.Second)
	s.advance(10 * time.Second)
	s.answer("long", Answer{Next: s.now.Add(20 * time.Hour), Expires: s.now.Add(30 * time.Hour)})
	s.expect("q", "long", 2, 20*time.Hour)
	s.advance(19 * time.Hour)
	s.expect("q", "long", 2, time.Hour)
	s.advance(time.Hour)
	s.answer("past", Answer{Next: s.now.Add(-time.Hour)})
	s.expect("q", "past", 3, time.Second)
}

func TestManyAskersAreOneCall(t *testing.T) {
	s := newStage(t)
	s.r.Timeout = time.Minute
	gate := make(chan struct{})
	s.say(func(context.Context) (Answer, error) {
		<-gate
		return Answer{Values: map[string]param.Secret{"": param.NewSecret("x")}}, nil
	})
	var wrong atomic.Int32
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			answer, _, err := s.r.ask(t.Context(), s.question("q"))
			if err != nil || answer.Values[""].Reveal() != "x" {
				wrong.Add(1)
			}
		})
	}
	gave := make(chan struct{})
	go func() { // one who gives up takes nobody along
		defer close(gave)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := s.r.ask(ctx, s.question("q")); !errors.Is(err, context.Canceled) || scalers.ClassOf(err) != scalers.Unavailable {
			t.Errorf("who gives up is told %v", err)
		}
	}()
	<-gave
	close(gate)
	all.Wait()
	if s.asked() != 1 || wrong.Load() > 0 {
		t.Errorf("%d calls, want 1; %d askers got something else", s.asked(), wrong.Load())
	}
}

func TestServerThatIsDown(t *testing.T) {
	down := scalers.UnavailableError("down")
	s := newStage(t)
	s.fail(down)
	s.expectError("q", scalers.Unavailable, "down", 1, time.Second)
	s.answer("one", Answer{})
	s.expectError("q", scalers.Unavailable, "down", 1, time.Second) // still backing off
	s.advance(time.Second)
	s.expect("q", "one", 2, time.Minute)
	s.advance(time.Minute)
	s.fail(down)
	calls, want := 2, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
	for _, seconds := range want {
		calls++
		s.expect("q", "one", calls, seconds*time.Second)
		s.advance(seconds*time.Second - time.Millisecond)
		s.expect("q", "one", calls, time.Second)
		s.advance(time.Millisecond)
	}
	s.answer("two", Answer{})
	s.expect("q", "two", calls+1, time.Minute)
	if log := s.log.String(); strings.Count(log, "\n") != 2 || !strings.Contains(log, "refreshed again") {
		t.Errorf("the log is not of one failure and its end:\n%s", log)
	}
}

func TestAnswerThatExpires(t *testing.T) {
	s := newStage(t)
	s.answer("certificate", Answer{Next: s.now.Add(20 * time.Second), Expires: s.now.Add(30 * time.Second)})
	s.expect("q", "certificate", 1, 20*time.Second)
	s.advance(20 * time.Second)
	s.fail(scalers.UnavailableError("down"))
	s.expect("q", "certificate", 2, time.Second)
	s.advance(9 * time.Second)
	s.expect("q", "certificate", 3, time.Second) // what is left of it
	s.advance(time.Second)
	s.expectError("q", scalers.Unavailable, "down", 3, time.Second) // of the back-off of 2 s
	s.advance(time.Second)
	s.answer("next", Answer{})
	s.expect("q", "next", 4, time.Minute)
}

// A refusal takes back what was said before; and what is refused is not asked on
// and on.
func TestServerThatRefuses(t *testing.T) {
	for _, err := range []error{scalers.AuthenticationError("refused"), scalers.ConfigurationError("refused")} {
		s := newStage(t)
		s.answer("one", Answer{})
		s.expect("q", "one", 1, time.Minute)
		s.advance(time.Minute)
		s.fail(err)
		s.expectError("q", scalers.ClassOf(err), "refused", 2, time.Second)
		s.expectError("q", scalers.ClassOf(err), "refused", 2, time.Second)
		s.advance(time.Second)
		s.fail(scalers.UnavailableError("down"))
		s.expectError("q", scalers.Unavailable, "down", 3, 2*time.Second)
	}
}

func TestServerThatIsBusy(t *testing.T) {
	s := newStage(t)
	s.fail(scalers.RateLimitedError(20*time.Second, "busy"))
	s.expectError("q", scalers.RateLimited, "busy", 1, 20*time.Second)
	s.advance(20 * time.Second)
	s.fail(scalers.RateLimitedError(time.Hour, "busy"))
	s.expectError("q", scalers.RateLimited, "busy", 2, time.Minute)
}

// TestServerThatCannotBeReached: one question finds it out for all, and one finds
// out that it is over. A server that answers, be it with errors, is reached.
func TestServerThatCannotBeReached(t *testing.T) {
	s := newStage(t)
	s.answer("one", Answer{})
	s.expect("known", "one", 1, time.Minute)
	s.advance(time.Minute)
	s.unreachable(fmt.Errorf("reading secret/of/somebody: %w", context.DeadlineExceeded))
	s.expectError("new", scalers.Unavailable, "the store cannot be reached: it did not answer in time", 2, time.Second)
	s.expect("known", "one", 2, time.Second)
	for i := range 100 {
		s.expectError(fmt.Sprint("other ", i), scalers.Unavailable, "the store cannot be reached", 2, time.Second)
	}
	s.advance(time.Second)
	s.expect("known", "one", 3, time.Second)
	s.expectError("new", scalers.Unavailable, "the store cannot be reached", 3, 2*time.Second)
	s.advance(2 * time.Second)
	s.fail(scalers.UnavailableError("an error of its own"))
	s.expectError("new", scalers.Unavailable, "an error of its own", 4, 2*time.Second)
	s.answer("two", Answer{})
	s.expect("known", "two", 5, time.Minute)
	s.expect("other 7", "two", 6, time.Minute)
	if log := s.log.String(); !strings.Contains(log, "cannot be reached") || !strings.Contains(log, "is reached again") {
		t.Errorf("the log does not tell:\n%s", log)
	}
}

// TestOneFindsOut: while one call finds out whether a server is back, no other
// is made.
func TestOneFindsOut(t *testing.T) {
	s := newStage(t)
	s.r.Timeout = time.Minute
	s.unreachable(context.DeadlineExceeded)
	s.expectError("a", scalers.Unavailable, "reached", 1, time.Second)
	s.advance(time.Second)
	asked, gate, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s.say(func(context.Context) (Answer, error) {
		close(asked)
		<-gate
		return Answer{Values: map[string]param.Secret{"": param.NewSecret("x")}}, nil
	})
	go func() {
		defer close(done)
		_, _, _ = s.r.ask(t.Context(), s.question("a"))
	}()
	<-asked
	s.expectError("b", scalers.Unavailable, "reached", 2, time.Second)
	close(gate)
	<-done
	s.answer("y", Answer{})
	s.expect("b", "y", 3, time.Minute)
}

func TestDeadline(t *testing.T) {
	s := newStage(t)
	hang := func(ctx context.Context) (Answer, error) {
		connect(ctx)
		<-ctx.Done()
		return Answer{}, fmt.Errorf("hanging: %w", ctx.Err())
	}
	s.say(hang)
	s.expectError("q", scalers.Unavailable, "hanging", 1, time.Second)
	s.advance(time.Second)
	s.answer("one", Answer{})
	s.expect("q", "one", 2, time.Minute)
	s.advance(time.Minute)

	// Who has an answer does not wait long for a new one.
	s.r.Timeout = time.Hour
	end := make(chan struct{})
	s.say(func(context.Context) (Answer, error) { <-end; return Answer{}, errors.New("late") })
	began := time.Now()
	s.expect("q", "one", 3, time.Hour)
	if waited := time.Since(began); waited > time.Minute {
		t.Errorf("waited for %s", waited)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if answer, _, err := s.r.ask(ctx, s.question("q")); err != nil || answer.Values[""].Reveal() != "one" {
		t.Errorf("who gives up and has an answer gets %v, %v", answer, err)
	}
	close(end)
}

func TestPanicIsAnError(t *testing.T) {
	s := newStage(t)
	s.say(func(context.Context) (Answer, error) { panic("S3NT1N3L") })
	s.expectError("q", scalers.Unavailable, "the store", 1, time.Second)
	if _, _, err := s.r.ask(t.Context(), s.question("q")); strings.Contains(err.Error(), "S3NT1N3L") {
		t.Errorf("the error tells what may be a secret: %v", err)
	}
}

// TestForgotten: answers that nobody asks for go, and those that are asked for
// seldom stay.
func TestForgotten(t *testing.T) {
	s := newStage(t)
	s.answer("short", Answer{})
	for i := range 100 {
		s.expect(fmt.Sprint("once ", i), "short", i+1, time.Minute)
	}
	s.answer("long", Answer{Next: s.now.Add(100 * time.Hour)})
	s.expect("seldom", "long", 101, 100*time.Hour)
	s.advance(50 * time.Hour)
	s.answer("x", Answer{})
	s.expect("new", "x", 102, time.Minute)
	if n := len(s.r.cache.entries); n != 2 {
		t.Errorf("%d answers are kept, want 2", n)
	}
	s.expect("seldom", "long", 102, 50*time.Hour)
	if n := len(s.r.cache.servers); n != 1 {
		t.Errorf("%d servers are known, want 1", n)
	}

	q := &Request{resolver: s.r}
	q.Forget(param.FingerprintOf("seldom"))
	q.Forget(param.FingerprintOf("none"))
	s.expect("seldom", "x", 103, time.Minute)
}

func TestAgainIsTheSoonest(t *testing.T) {
	var q Request
	for _, step := range []struct{ d, want time.Duration }{{0, 0}, {time.Hour, time.Hour}, {0, time.Hour}, {time.Minute, time.Minute}, {time.Hour, time.Minute}} {
		if q.Again(step.d); q.refresh != step.want {
			t.Errorf("after %s it is %s, want %s", step.d, q.refresh, step.want)
		}
	}
}

func TestRegisterSourcePanics(t *testing.T) {
	for _, name := range []string{"env", "nothing", "podIdentity"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a source of %s was registered", name)
				}
			}()
			RegisterSource(name, readEnv)
		}()
	}
}
