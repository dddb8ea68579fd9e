package poll_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

var errBroken = errors.New("broken")

// quick are options whose back-offs are easy to reckon with.
var quick = poll.Options{Timeout: time.Second, FirstBackoff: time.Second, MostBackoff: 8 * time.Second}

func TestBackOffIsExponentialJitteredAndBounded(t *testing.T) {
	for _, kind := range []string{batching, single} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, quick).run()
				w.backend.setRead(refuse(errBroken))
				o := w.one("o", kind, time.Minute, "orders")
				pass(10 * time.Minute)
				if r := o.last(); !errors.Is(r.Err, errBroken) || r.Active {
					t.Errorf("the reading is %+v, want the source's error", r)
				}
				calls := w.backend.takeCalls()
				var gaps []time.Duration
				for i := 1; i < len(calls); i++ {
					gap, want := calls[i].at.Sub(calls[i-1].at), min(8*time.Second, time.Second<<min(i-1, 10))
					if gap < want*4/5 || gap > want*6/5 {
						t.Errorf("back-off %d is %s, want %s and a fifth more or less", i, gap, want)
					}
					gaps = append(gaps, gap)
				}
				if n := len(gaps); n < 50 || n > 100 {
					t.Fatalf("%d back-offs in ten minutes", n)
				}
				if slices.Min(gaps[10:]) == slices.Max(gaps[10:]) {
					t.Error("the back-offs have no jitter")
				}
			})
		})
	}
}

func TestBackOffBeginsAnewAfterAnAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, quick).run()
		o := w.one("o", batching, rarely, "orders")
		pass(time.Minute)
		for range 3 {
			w.backend.takeCalls()
			w.backend.setRead(refuse(errBroken))
			if err := o.Refresh(t.Context()); !errors.Is(err, errBroken) {
				t.Fatalf("a demand read gave %v", err)
			}
			pass(5 * time.Minute)
			calls := w.backend.takeCalls()
			if first := calls[1].at.Sub(calls[0].at); first > 1200*time.Millisecond {
				t.Errorf("the first back-off is %s, want 1s", first)
			}
			w.backend.setRead(nil)
			pass(time.Minute)
			if r := o.last(); r.Err != nil {
				t.Fatalf("the source answers again and the reading is %+v", r)
			}
		}
	})
}

func TestDeadSourceIsProbedByOneReadAtATime(t *testing.T) {
	for name, fail := range map[string]func(b *backend){
		"does not answer":   func(b *backend) { b.setRead(wait(time.Hour)) },
		"does not open":     func(b *backend) { b.setOpen(never) },
		"refuses":           func(b *backend) { b.setRead(refuse(errBroken)) },
		"refuses to open":   func(b *backend) { b.setOpen(func(context.Context) error { return errBroken }) },
		"panics on opening": func(b *backend) { b.setOpen(func(context.Context) error { panic("boom") }) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, quick).run()
				fail(w.backend)
				all := w.set("o", single, 5*time.Second, manyKeys(500)...)
				pass(time.Minute) // by then the back-off is at its bound
				w.backend.takeCalls()
				w.backend.takeAttempts()
				w.backend.takeMost()
				pass(time.Minute)
				if n := max(len(w.backend.takeCalls()), w.backend.takeAttempts()); n < 4 || n > 10 {
					t.Errorf("500 triggers on a dead source made %d calls in a minute, want one for each back-off of 8s", n)
				}
				if most := w.backend.takeMost(); most > 1 {
					t.Errorf("%d probes were in flight", most)
				}
				for key, o := range all {
					if r := o.last(); r.Err == nil || time.Since(r.At) > 20*time.Second {
						t.Fatalf("%s has %+v, want the source's error", key, r)
					}
				}
			})
		})
	}
}

func TestRecoveredSourceIsReadAtOnce(t *testing.T) {
	for _, kind := range []string{batching, single} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, quick).run()
				w.backend.setOpen(func(context.Context) error { return errBroken })
				all := w.set("o", kind, time.Hour, manyKeys(100)...)
				pass(time.Minute)
				w.backend.setOpen(nil)
				recovered := time.Now()
				pass(10 * time.Second) // the longest back-off, and its jitter
				first := time.Time{}
				for key, o := range all {
					r := o.last()
					if r.Err != nil || r.At.Before(recovered) {
						t.Fatalf("%s has %+v after the source recovered", key, r)
					}
					if first.IsZero() {
						first = r.At
					}
					if apart := r.At.Sub(first).Abs(); apart > 100*time.Millisecond {
						t.Errorf("%s was read %s apart from another", key, apart)
					}
				}
			})
		})
	}
}

func TestOtherGroupsGetTheErrorWithoutACall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, quick).run()
		w.backend.setOpen(func(context.Context) error { return errBroken })
		w.one("a", batching, time.Minute, "a")
		pass(10 * time.Minute)
		w.backend.takeAttempts()
		other := w.one("b", single, time.Minute, "b") // another group of the source
		if err := other.Refresh(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("a demand read gave %v, want the source's error", err)
		}
		if w.backend.takeAttempts() != 0 {
			t.Error("it called the source")
		}
		pass(10 * time.Minute)
		if r := other.last(); !errors.Is(r.Err, errBroken) {
			t.Errorf("the other group has %+v", r)
		}
	})
}

func TestBadGroupsDoNotTakeTheirSourceDown(t *testing.T) {
	for _, bad := range []int{1, 2, 5, 50} {
		t.Run(fmt.Sprintf("%d bad", bad), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, quick).run()
				good := w.set("good", single, 10*time.Second, "g1", "g2", "g3")
				pass(time.Minute)
				keys := manyKeys(bad)
				w.backend.setRead(refuseKeys(errBroken, keys...))
				broken := w.set("bad", single, 10*time.Second, keys...)
				pass(time.Minute) // what comes new may be mistaken for a source that is down, once
				settled := time.Now()
				pass(10 * time.Minute)
				for key, o := range good {
					n := 0
					for _, r := range o.all() {
						if r.At.After(settled) {
							n++
							if r.Err != nil {
								t.Fatalf("%s, which is good, has %+v", key, r)
							}
						}
					}
					if n < 59 {
						t.Errorf("%s was read %d times in ten minutes, want each 10s", key, n)
					}
				}
				for key, o := range broken {
					if r := o.last(); !errors.Is(r.Err, errBroken) {
						t.Errorf("%s has %+v", key, r)
					}
				}
			})
		})
	}
}

func TestSourceWithBadGroupsRecovers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, quick).run()
		bad := manyKeys(20)
		w.backend.setRead(refuseKeys(errBroken, bad...))
		good := w.one("good", single, 10*time.Second, "good")
		w.set("bad", single, 10*time.Second, bad...)
		pass(10 * time.Minute)
		for range 5 {
			w.backend.setRead(refuse(errBroken)) // all fails
			pass(time.Minute)
			if r := good.last(); !errors.Is(r.Err, errBroken) {
				t.Fatalf("the source is down and %+v is read", r)
			}
			w.backend.takeCalls()
			pass(time.Minute)
			if n := len(w.backend.takeCalls()); n > 10 {
				t.Errorf("a dead source was called %d times in a minute", n)
			}
			w.backend.setRead(refuseKeys(errBroken, bad...))
			pass(10 * time.Second) // the longest back-off, and its jitter
			if r := good.last(); r.Err != nil {
				t.Fatalf("the source answers again and the good trigger has %+v", r)
			}
			pass(time.Minute)
		}
	})
}

// The trigger that would be asked first when a source is down is broken itself
// when it comes back: another one must find out.
func TestRecoveryDoesNotHangOnOneTrigger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, quick).run()
		keys := manyKeys(5)
		all := w.set("o", single, 10*time.Second, keys...)
		pass(time.Minute)
		w.backend.setRead(refuse(errBroken))
		pass(10 * time.Minute)
		w.backend.setRead(refuseKeys(errBroken, keys[1:]...))
		pass(2 * time.Minute) // twice as long as each takes its turn
		if r := all[keys[0]].last(); r.Err != nil {
			t.Errorf("the only trigger that works has %+v", r)
		}
	})
}

func TestResultErrorsOfABatchStayWithTheirTriggers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, quick).run()
		w.backend.setRead(refuseKeys(scalers.ConfigurationError("no such key"), "bad"))
		all := w.set("o", batching, 10*time.Second, "bad", "good")
		pass(time.Minute)
		w.backend.takeCalls()
		pass(time.Minute)
		if n := len(w.backend.takeCalls()); n != 6 {
			t.Errorf("%d calls in a minute, want one each 10s", n)
		}
		if r := all["good"].last(); r.Err != nil || r.Value.Metric != 1 {
			t.Errorf("the good one has %+v", r)
		}
		if r := all["bad"].last(); scalers.ClassOf(r.Err) != scalers.Configuration || r.Active {
			t.Errorf("the bad one has %+v", r)
		}
	})
}

func TestConfigurationErrorsAreNoFailureOfTheSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, quick).run()
		w.backend.setRead(refuse(scalers.ConfigurationError("no such table")))
		o := w.one("o", single, 10*time.Second, "orders")
		pass(time.Minute)
		w.backend.takeCalls()
		pass(time.Minute)
		if n := len(w.backend.takeCalls()); n != 6 {
			t.Errorf("%d calls in a minute, want one each 10s", n)
		}
		if opened, _ := w.backend.connections(); opened != 1 {
			t.Errorf("%d connections were opened, want one", opened)
		}
		if class := scalers.ClassOf(o.last().Err); class != scalers.Configuration {
			t.Errorf("the error is of class %s", class)
		}
	})
}

func TestRateLimitIsHonoured(t *testing.T) {
	for _, kind := range []string{batching, single} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, quick).run()
				w.backend.setRead(refuse(scalers.RateLimitedError(90*time.Second, "slow down")))
				o := w.one("o", kind, 10*time.Second, "orders")
				pass(10 * time.Minute)
				calls := w.backend.takeCalls()
				for i := 1; i < len(calls); i++ {
					if gap := calls[i].at.Sub(calls[i-1].at); gap < 90*time.Second || gap > 110*time.Second {
						t.Errorf("it was asked again after %s, want 90s", gap)
					}
				}
				if err := o.Refresh(t.Context()); scalers.ClassOf(err) != scalers.RateLimited {
					t.Errorf("a demand read gave %v", err)
				}
				if n := len(w.backend.takeCalls()); n != 0 {
					t.Error("a demand read called a source that asked to be left alone")
				}
				if n := len(calls); n < 5 {
					t.Errorf("%d calls in ten minutes", n)
				}
			})
		})
	}
}

func TestFailedConnectionIsOpenedAnew(t *testing.T) {
	for _, kind := range []string{batching, single} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, quick).run()
				o := w.set("o", kind, 10*time.Second, manyKeys(5)...)
				pass(time.Minute)
				w.backend.setRead(refuse(errBroken)) // the connection broke: only a new one answers
				w.backend.setOpen(func(context.Context) error {
					w.backend.setRead(nil)
					return nil
				})
				pass(time.Minute)
				opened, closed := w.backend.connections()
				if opened != 2 || closed != 1 {
					t.Errorf("%d connections were opened and %d closed, want 2 and 1", opened, closed)
				}
				for key, s := range o {
					if r := s.last(); r.Err != nil {
						t.Errorf("%s has %+v", key, r)
					}
				}
			})
		})
	}
}

func TestPanicHurtsItsTriggerAlone(t *testing.T) {
	for _, kind := range []string{batching, single} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, quick).run()
				w.backend.setRead(func(_ context.Context, keys []string, _ []scalers.Result) error {
					if slices.Contains(keys, "bad") {
						panic("boom")
					}
					return nil
				})
				all := w.set("o", kind, 10*time.Second, "a", "bad", "b")
				pass(time.Minute)
				var p *scalers.PanicError
				if r := all["bad"].last(); !errors.As(r.Err, &p) || p.Value != "boom" || r.Active {
					t.Errorf("the bad one has %+v", r)
				}
				for _, key := range []string{"a", "b"} {
					r := all[key].last()
					if r.Err != nil || time.Since(r.At) > 10*time.Second {
						t.Errorf("%s has %+v", key, r)
					}
				}
			})
		})
	}
}

func TestValuesThatAreNoNumbersAreErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, quick).run()
		w.backend.setRead(func(_ context.Context, keys []string, out []scalers.Result) error {
			zero := 0.0
			for i, key := range keys {
				out[i].Value = map[string]scalers.Value{
					"nan": scalers.Number(zero / zero), "inf": scalers.Number(1 / zero),
					"activity": {Metric: 1, Activity: -1 / zero}, "good": scalers.Number(3),
				}[key]
			}
			return nil
		})
		all := w.set("o", batching, 10*time.Second, "nan", "inf", "activity", "good")
		pass(time.Second)
		for _, key := range []string{"nan", "inf", "activity"} {
			if r := all[key].last(); r.Err == nil || r.Active {
				t.Errorf("%s is read as %+v", key, r)
			}
		}
		if r := all["good"].last(); r.Err != nil {
			t.Errorf("good is read as %+v", r)
		}
	})
}

func TestDeadlines(t *testing.T) {
	for name, hang := range map[string]func(b *backend){
		"opening": func(b *backend) { b.setOpen(never) },
		"reading": func(b *backend) { b.setRead(wait(time.Hour)) },
	} {
		for _, kind := range []string{batching, single} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := newWorld(t, poll.Options{Timeout: 3 * time.Second}).run()
					hang(w.backend)
					o := w.one("o", kind, time.Minute, "orders")
					pass(time.Millisecond)
					began := time.Now()
					err := o.Refresh(t.Context())
					if kind == single && name == "reading" {
						err = o.last().Err // it is the trigger's own error
					}
					if took := time.Since(began); took != 3*time.Second {
						t.Errorf("it took %s, want the deadline of 3s", took)
					}
					if !errors.Is(err, context.DeadlineExceeded) || scalers.ClassOf(err) != scalers.Unavailable {
						t.Errorf("the error is %v", err)
					}
					if r := o.last(); r.Err == nil || r.Took != 3*time.Second {
						t.Errorf("the reading is %+v", r)
					}
				})
			})
		}
	}
}

func TestHangingSourceDoesNotDelayOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{Workers: 4}).run()
		hung := newBackend(t)
		hung.setOpen(never)
		for i := range 50 {
			w.engine.Set(name(fmt.Sprintf("h%d", i)), []poll.Member{
				{Scaler: w.trigger(single, fmt.Sprint(i), "backend="+hung.name), Interval: time.Second, Sink: &sink{}},
			})
		}
		o := w.one("o", batching, 10*time.Second, "orders")
		pass(10 * time.Minute)
		late := 0
		for _, r := range o.all() {
			if r.Err != nil {
				t.Fatalf("the other source has %+v", r)
			}
			if r.Late > 0 {
				late++
			}
		}
		if late > 0 {
			t.Errorf("%d reads were late", late)
		}
	})
}

// Triggers that come while their source is down are told so as soon as the
// source was tried again, and not first after an interval.
func TestNewTriggersOfADeadSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		down := errors.New("down")
		w.backend.setOpen(func(context.Context) error { return down })
		w.one("a", single, 10*time.Minute, "a")
		pass(time.Second)
		late := w.set("b", single, rarely, manyKeys(50)...)
		pass(10 * time.Second)
		for key, s := range late {
			if r := s.last(); !errors.Is(r.Err, down) {
				t.Errorf("after ten seconds %s is given %+v", key, r)
			}
		}
	})
}

// The text of a failure that goes on stays the same, whatever our end of the
// connection is.
func TestErrorsDoNotTellOurPort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		cause := &net.OpError{
			Op: "read", Net: "tcp", Source: &net.TCPAddr{IP: net.IPv6loopback, Port: 4711}, Addr: &net.TCPAddr{IP: net.IPv6loopback, Port: 6379}, Err: syscall.ECONNRESET,
		}
		w.backend.setRead(refuse(fmt.Errorf("the connection ended: %w", cause)))
		s := w.one("a", single, time.Minute, "orders")
		pass(time.Second)
		err := s.last().Err
		if err == nil || !strings.HasSuffix(err.Error(), "the connection ended: read tcp [::1]:6379: connection reset by peer") || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the error is %v", err)
		}
	})
}
