package kube_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	_ "github.com/freshet-io/freshet/scalers/kube"
	"github.com/freshet-io/freshet/scalers/param"
)

type m = map[string]string

// decode makes a scaler of a trigger that must be good.
func decode(t testing.TB, typ string, metadata m, setting scalers.Setting) *scalers.Scaler {
	t.Helper()
	s, notices, err := scalers.Decode(typ, param.Input{Metadata: metadata}, setting)
	if err != nil || len(notices) > 0 {
		t.Fatalf("decoding %s %v: %v, %v", typ, metadata, notices, err)
	}
	return s
}

// window is a cron trigger of 7 replicas.
func window(t testing.TB, timezone, start, end string) *scalers.Scaler {
	t.Helper()
	return decode(t, "cron", m{"timezone": timezone, "start": start, "end": end, "desiredReplicas": "7"}, scalers.Setting{})
}

// isOpen reads a window of 7 replicas.
func isOpen(t testing.TB, s *scalers.Scaler, at time.Time) bool {
	t.Helper()
	ctx := scalers.WithNow(t.Context(), at)
	conn, err := s.Source.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]scalers.Result, 1)
	if err := scalers.Read(ctx, conn, []*scalers.Scaler{s}, out); err != nil || out[0].Err != nil {
		t.Fatal(err, out[0].Err)
	}
	v := out[0].Value
	if v.Activity != v.Metric || (v.Metric != 7 && v.Metric != 0) {
		t.Fatalf("the value is %+v, want 7 or 0", v)
	}
	return v.Metric == 7
}

// TestWindows runs the timelines of testdata/windows: a trigger, an empty line,
// and moments at which it is in its window or out of it.
func TestWindows(t *testing.T) {
	files, err := filepath.Glob("testdata/windows/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no timelines: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, moments, _ := strings.Cut(string(text), "\n\n")
			trigger := m{}
			for line := range strings.Lines(head) {
				if key, value, ok := strings.Cut(line, " "); ok && key != "#" {
					trigger[key] = strings.TrimSpace(value)
				}
			}
			s := window(t, trigger["timezone"], trigger["start"], trigger["end"])
			for line := range strings.Lines(moments) {
				fields := strings.Fields(line)
				at, err := time.Parse("Mon "+time.RFC3339, fields[0]+" "+fields[1])
				if err != nil || at.Format("Mon") != fields[0] {
					t.Fatalf("%s: %v, on a %s", line, err, at.Weekday())
				}
				if got := isOpen(t, s, at); got != (fields[2] == "in") {
					t.Errorf("%s: it is in: %t; next at %s", strings.TrimSpace(line), got, s.Next(at))
				}
			}
		})
	}
}

// TestOnlyNextChangesWindows: from one Next to the following one a window is
// what it was, also beside the hours in which clocks are set.
func TestOnlyNextChangesWindows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	number := func(n int) string { return strconv.Itoa(r.IntN(n)) }
	schedule := func() string {
		return strings.Join([]string{
			pick("0", "30", "*/7", number(60), number(30)+"-"+strconv.Itoa(30+r.IntN(30))),
			pick("0", "2", "*", "*/2", "1-3", number(24), number(24)+","+number(24)),
			pick("*", "*", "*", "?", "1", "25-31"), pick("*", "*", "3,10", "4", "*/2"), pick("*", "*", "SUN", "1-5"),
		}, " ")
	}
	// Moments before clocks are set somewhere, and others.
	starts := []string{"2026-03-28T12:00:00Z", "2026-10-24T00:00:00Z", "2026-04-04T00:00:00Z", "2026-04-23T12:00:00Z", "2027-12-31T00:00:00Z"}
	for range 400 {
		zone := pick("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC", "Asia/Kathmandu")
		start, end := schedule(), schedule()
		if start == end {
			continue
		}
		s := window(t, zone, start, end)
		at, err := time.Parse(time.RFC3339, pick(starts...))
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			next := s.Next(at)
			if !next.After(at) {
				t.Fatalf("%s, %s to %s: after %s the next is %s", zone, start, end, at, next)
			}
			was := isOpen(t, s, at)
			for _, part := range []float64{0.0001, r.Float64(), 0.9999} {
				between := at.Add(time.Duration(part * float64(next.Sub(at))))
				fresh := window(t, zone, start, end) // remembers nothing
				if isOpen(t, fresh, between) != was || !fresh.Next(between).Equal(next) || !s.Next(between).Equal(next) {
					t.Fatalf("%s, %s to %s: it is in: %t at %s, and other at %s; next at %s and %s", zone, start, end, was, at, between, next, fresh.Next(between))
				}
			}
			at = next
		}
	}
}

func TestCronFaults(t *testing.T) {
	good := m{"timezone": "Europe/Berlin", "start": "0 8 * * *", "end": "0 18 * * *", "desiredReplicas": "3"}
	for name, tc := range map[string]struct {
		with  m
		names []string
	}{
		"no zone":                {m{"timezone": ""}, []string{"timezone is missing"}},
		"an unknown zone":        {m{"timezone": "Europe/Berln"}, []string{`timezone is "Europe/Berln"`, "Europe/Berlin"}},
		"a zone that is a path":  {m{"timezone": "../../etc/passwd"}, []string{"timezone"}},
		"no schedules":           {m{"start": "", "end": ""}, []string{"start is missing", "end is missing"}},
		"no replicas":            {m{"desiredReplicas": ""}, []string{"desiredReplicas is missing"}},
		"0 replicas":             {m{"desiredReplicas": "0"}, []string{"desiredReplicas is 0", "at least 1"}},
		"less replicas":          {m{"desiredReplicas": "-1"}, []string{"desiredReplicas"}},
		"half a replica":         {m{"desiredReplicas": "1.5"}, []string{"desiredReplicas"}},
		"seconds":                {m{"start": "0 0 8 * * *"}, []string{`start is "0 0 8 * * *"`, "five fields"}},
		"four fields":            {m{"end": "0 8 * *"}, []string{"end is"}},
		"a descriptor":           {m{"start": "@daily"}, []string{"start is"}},
		"an interval":            {m{"start": "@every 1h"}, []string{"start is"}},
		"a zone in the schedule": {m{"start": "CRON_TZ=UTC 0 8 * * *"}, []string{"start", "no time zone"}},
		"a zone and nothing":     {m{"start": "TZ=UTC"}, []string{"start", "no time zone"}},
		"out of range":           {m{"start": "60 8 * * *", "end": "0 24 * * *"}, []string{"start is", "end is"}},
		"no date":                {m{"start": "0 0 30 2 *"}, []string{"start is", "no such date"}},
		"no window":              {m{"end": "0 8 * * *"}, []string{"start and end are the same"}},
	} {
		t.Run(name, func(t *testing.T) { expectFault(t, "cron", good, tc.with, scalers.Setting{}, tc.names) })
	}
}

// expectFault decodes a trigger that is good but for what with has another value
// of, and wants an error of class configuration that has all names.
func expectFault(t *testing.T, typ string, good, with m, setting scalers.Setting, names []string) {
	t.Helper()
	metadata := m{}
	for _, from := range []m{good, with} {
		for key, value := range from {
			metadata[key] = value
		}
	}
	s, _, err := scalers.Decode(typ, param.Input{Metadata: metadata}, setting)
	if err == nil {
		t.Fatalf("it decodes as %+v", s)
	}
	if class := scalers.ClassOf(err); class != scalers.Configuration || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "decoding the trigger") {
		t.Errorf("the error is of class %s: %q", class, err)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not have %q: %v", name, err)
		}
	}
}

func TestCronNames(t *testing.T) {
	for _, tc := range [][4]string{
		{"Etc/UTC", "0 0 * * Thu", "59 23 * * Thu", "s0-cron-Etc-UTC-00xxThu-5923xxThu"},
		{"Europe/Berlin", "*/2 8,9 ? * 1-5", "0  18\t* * *", "s0-cron-Europe-Berlin-xSl28Cm9Qmx1-5-018xxx"},
	} {
		s := window(t, tc[0], tc[1], tc[2])
		if got := scalers.MetricName(0, s.Stem); got != tc[3] {
			t.Errorf("the metric is %s, want %s", got, tc[3])
		}
		if s.Target != 1 || s.Activation != 0 {
			t.Errorf("the target is %v and the activation %v, want 1 and 0", s.Target, s.Activation)
		}
	}
}

// TestCronsShareTheClock: all of them are read at once, and equal ones are one.
func TestCronsShareTheClock(t *testing.T) {
	a, b := window(t, "UTC", "0 8 * * *", "0 9 * * *"), window(t, "Europe/Berlin", "0 7 * * *", "0 9 * * *")
	if a.Source.Fingerprint != b.Source.Fingerprint || !a.Kind.Batches {
		t.Error("they are not read together")
	}
	if a.Query == b.Query || a.Query != window(t, "UTC", "0 8 * * *", "0 9 * * *").Query {
		t.Error("others are one, or equal ones are two")
	}
}

// FuzzCron: whatever the schedules, a window is read or refused.
func FuzzCron(f *testing.F) {
	f.Add("0 8 * * *", "0 18 * * *", "UTC", int64(0))
	f.Add("TZ=", "CRON_TZ=a b", "Local", int64(1)<<40)
	f.Add("*/0 1-2-3 ? JAN ,", "1/2 99999999999999999999 * * *", "Europe/Berlin", int64(-1)<<40)
	f.Add("* * 31 2,4 *", "30 2 29 2 sun", "Africa/Cairo", int64(1774662000))
	f.Fuzz(func(t *testing.T, start, end, zone string, unix int64) {
		s, _, err := scalers.Decode("cron", param.Input{Metadata: m{"start": start, "end": end, "timezone": zone, "desiredReplicas": "7"}}, scalers.Setting{})
		if err != nil {
			if strings.Contains(err.Error(), "decoding the trigger") {
				t.Errorf("it panics: %v", err)
			}
			return
		}
		at := time.Unix(unix%(1<<33), 0)
		isOpen(t, s, at)
		if next := s.Next(at); !next.IsZero() && !next.After(at) {
			t.Errorf("after %s the next is %s", at, next)
		}
	})
}

func BenchmarkCron(b *testing.B) {
	for name, s := range map[string]*scalers.Scaler{
		"workdays": window(b, "Europe/Berlin", "0 8 * * 1-5", "0 18 * * 1-5"), "leap day": window(b, "Europe/Berlin", "0 0 29 2 *", "0 0 1 3 *"),
		"at once": window(b, "Europe/Berlin", "0 8 * * *", "0 8,18 * * *"),
	} {
		at := time.Date(2026, 1, 9, 22, 0, 0, 0, time.UTC)
		b.Run(name+"/read", func(b *testing.B) {
			for b.Loop() {
				isOpen(b, s, at)
			}
		})
		b.Run(name+"/next", func(b *testing.B) {
			for b.Loop() {
				s.Next(at)
			}
		})
	}
}
