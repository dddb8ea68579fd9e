package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

func init() {
	scalers.Register(scalers.Kind[clock, *Cron]{
		Types: []string{"cron"}, Category: "kube", Since: "0.1.0", Label: "cronScaler",
		Example: map[string]string{
			"timezone": "Europe/Berlin", "start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "desiredReplicas": "10",
		},
		ReadAll: readCrons,
		Next:    (*Cron).next,
	})
}

// Cron scales on a window of time: to a number of replicas from a start to an
// end, each of which is a cron expression of five fields (minute, hour, day of
// month, month, day of week). The window is open when its end comes next, so
// that both should name the same days. When clocks are set, a time that they skip
// comes when they skip it, and one that they repeat the first time.
type Cron struct {
	// When the window opens, such as 0 8 * * 1-5.
	Start string `param:"start"`
	// When the window closes, such as 0 18 * * 1-5.
	End string `param:"end"`
	// Time zone of start and end, by its name in the IANA data base, such as
	// Europe/Berlin.
	Timezone string `param:"timezone"`
	// Replicas to have while the window is open.
	DesiredReplicas int64 `param:"desiredReplicas" min:"1"`

	start, end schedule
	// known is the last span that was looked at; looks may come at once.
	known atomic.Pointer[span]
}

// Validate parses both schedules.
func (c *Cron) Validate() error {
	zone, err := loadZone(c.Timezone)
	if err != nil {
		return fmt.Errorf("parameter timezone is %q, which is no time zone of the IANA data base, such as Europe/Berlin", c.Timezone)
	}
	var startErr, endErr, same error
	if c.start, err = parseSchedule(c.Start, zone); err != nil {
		startErr = fmt.Errorf("parameter start is %q, which is no cron expression of five fields: %w", c.Start, err)
	}
	if c.end, err = parseSchedule(c.End, zone); err != nil {
		endErr = fmt.Errorf("parameter end is %q, which is no cron expression of five fields: %w", c.End, err)
	}
	if c.Start == c.End {
		same = errors.New("parameters start and end are the same: the window would have no length")
	}
	return errors.Join(startErr, endErr, same)
}

// Source is the clock.
func (c *Cron) Source() scalers.Source[clock] { return clock{} }

// Target is 1: the value is the number of replicas.
func (c *Cron) Target() float64 { return 1 }

// Stem names the zone and both schedules.
func (c *Cron) Stem() string {
	name := strings.NewReplacer("*", "x", "/", "Sl", "?", "Qm", ",", "Cm")
	short := func(schedule string) string { return name.Replace(strings.Join(strings.Fields(schedule), "")) }
	return fmt.Sprintf("cron-%s-%s-%s", strings.ReplaceAll(c.Timezone, "/", "-"), short(c.Start), short(c.End))
}

// Read tells how many replicas the window asks for when the read began.
func (c *Cron) Read(ctx context.Context, _ clock) (scalers.Value, error) {
	if c.at(scalers.Now(ctx)).open {
		return scalers.Number(float64(c.DesiredReplicas)), nil
	}
	return scalers.Number(0), nil
}

// next is when the window opens or closes next.
func (c *Cron) next(now time.Time) time.Time { return c.at(now).until }

// span is a time in which the window neither opens nor closes.
type span struct {
	open        bool
	from, until time.Time
}

// at is the span of a moment, from then on.
func (c *Cron) at(now time.Time) span {
	if known := c.known.Load(); known != nil && !now.Before(known.from) && now.Before(known.until) {
		return *known
	}
	start, end := c.start.next(now), c.end.next(now)
	s := span{open: c.isOpen(start, end, now), from: now, until: start}
	if start.IsZero() || (!end.IsZero() && end.Before(start)) {
		s.until = end
	}
	c.known.Store(&s)
	return s
}

// isOpen tells whether the end comes before the next start. When both come at
// once the window is what it has been since the last of either; if that was both,
// one window began when another ended, and it is open.
func (c *Cron) isOpen(start, end, now time.Time) bool {
	switch {
	case end.IsZero():
		return false
	case start.IsZero() || end.Before(start):
		return true
	case start.Before(end):
		return false
	}
	return !c.start.last(now).Before(c.end.last(now))
}

// readCrons reads all of them by one look at the clock.
func readCrons(ctx context.Context, c clock, crons []*Cron, out []scalers.Result) error {
	for i, one := range crons {
		out[i].Value, out[i].Err = one.Read(ctx, c)
	}
	return nil
}

// clock is the source of what only time changes, and its own connection.
type clock struct{}

// String names it.
func (clock) String() string { return "the clock" }

// Open has nothing to do.
func (c clock) Open(context.Context) (clock, error) { return c, nil }

// Close has nothing to do.
func (clock) Close() error { return nil }
