package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQuantile(t *testing.T) {
	ten := func() []time.Duration {
		d := make([]time.Duration, 10)
		for i := range d {
			d[i] = time.Duration(10-i) * time.Second // not in order
		}
		return d
	}
	for _, tc := range []struct {
		reason string
		of     []time.Duration
		q      float64
		want   time.Duration
	}{
		{"none", nil, 0.5, 0},
		{"one is all quantiles", []time.Duration{time.Second}, 0.01, time.Second},
		{"half of them do not exceed the fifth", ten(), 0.5, 5 * time.Second},
		{"99 in a hundred of ten is all", ten(), 0.99, 10 * time.Second},
		{"nine in ten", ten(), 0.9, 9 * time.Second},
		{"the largest", ten(), 1, 10 * time.Second},
		{"the smallest", ten(), 0, time.Second},
	} {
		if got := quantile(tc.of, tc.q); got != tc.want {
			t.Errorf("%s: quantile(%g) = %s, want %s", tc.reason, tc.q, got, tc.want)
		}
	}
}

func TestCPUOf(t *testing.T) {
	const fields = " S 1 10 10 0 -1 4194560 900 0 0 0 %s 0 0 20 0 9 0 1234 1000 200"
	for _, tc := range []struct {
		reason, stat string
		want         time.Duration
		fails        bool
	}{
		{"user and system time", "7 (freshet)" + strings.Replace(fields, "%s", "150 50", 1), 2 * time.Second, false},
		{"a name with parentheses and spaces", "7 (a) S (b 1 2)" + strings.Replace(fields, "%s", "1 2", 1), 30 * time.Millisecond, false},
		{"cut off", "7 (freshet) S 1 10", 0, true},
		{"no numbers", "7 (freshet)" + strings.Replace(fields, "%s", "x y", 1), 0, true},
	} {
		got, err := cpuOf([]byte(tc.stat))
		if got != tc.want || (err != nil) != tc.fails {
			t.Errorf("%s: %s, %v; want %s and an error: %t", tc.reason, got, err, tc.want, tc.fails)
		}
	}
}

func TestMemoryOf(t *testing.T) {
	const status = "Name:\tfreshet\nVmHWM:\t  200000 kB\nVmRSS:\t   97656 kB\nRssAnon:\t   40000 kB\n"
	for field, want := range map[string]int64{fieldResident: 97656 << 10, fieldAnonymous: 40000 << 10} {
		if got, err := memoryOf([]byte(status), field); got != want || err != nil {
			t.Errorf("%s %d, %v; want %d", field, got, err, want)
		}
	}
	if _, err := memoryOf([]byte("Name:\tkthreadd\n"), fieldResident); !errors.Is(err, errNoSuchNumber) {
		t.Errorf("of a process without memory: %v, want that the number is not there", err)
	}
}

// TestSampleOf reads this process, and one that is not there.
func TestSampleOf(t *testing.T) {
	own, err := sampleOf([]int{os.Getpid()})
	if err != nil || own.resident < 1<<20 || own.anonymous <= 0 || own.anonymous > own.resident {
		t.Errorf("this process holds %d bytes, %d of them no file's, %v", own.resident, own.anonymous, err)
	}
	twice, err := sampleOf([]int{os.Getpid(), os.Getpid()})
	if err != nil || twice.resident < own.resident*3/2 {
		t.Errorf("two processes hold %d bytes, %v; one of them %d", twice.resident, err, own.resident)
	}
	if _, err := sampleOf([]int{os.Getpid(), 1 << 30}); err == nil {
		t.Error("a process that is gone is no error")
	}
}

func TestRedisCounters(t *testing.T) {
	const before = "# Server\r\nredis_version:7.0.15\r\n# Stats\r\ntotal_reads_processed:100\r\n" +
		"cmdstat_llen:calls=10,usec=5,usec_per_call=0.5\r\ncmdstat_info:calls=3,usec=1\r\n"
	const after = "redis_version:7.0.15\r\ntotal_reads_processed:130\r\n" +
		"cmdstat_llen:calls=40,usec=5\r\ncmdstat_info:calls=9,usec=1\r\ncmdstat_hello:calls=2,usec=1\r\ncmdstat_xinfo|groups:calls=4,usec=9\r\n"
	const scripts = "redis_version:7.0.15\r\ntotal_reads_processed:130\r\n" +
		"cmdstat_llen:calls=40,usec=5\r\ncmdstat_type:calls=30,usec=5\r\ncmdstat_evalsha:calls=30,usec=9\r\n"
	type figures struct{ Commands, Reads, Events int64 }
	for reason, tc := range map[string]struct {
		text string
		want figures
	}{
		"own commands are left out, handshakes are no reads": {after, figures{36, 34, 30}},
		"what a script calls is not read again":              {scripts, figures{90, 30, 30}},
		"nothing came":                                       {before, figures{}},
	} {
		b, err := countersOf(before)
		if err != nil {
			t.Fatal(err)
		}
		a, err := countersOf(tc.text)
		if err != nil {
			t.Fatal(err)
		}
		commands, reads := a.since(b)
		if diff := cmp.Diff(tc.want, figures{commands, reads, a.events - b.events}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", reason, diff)
		}
	}
	if _, err := countersOf("-ERR unknown command"); err == nil {
		t.Error("what is no INFO is taken for one")
	}
}

func TestForeignClients(t *testing.T) {
	const list = "id=3 addr=127.0.0.1:1 name= db=0 cmd=llen\nid=4 addr=127.0.0.1:2 name=fleet-benchmark db=0 cmd=client|list\n" +
		"id=5 addr=127.0.0.1:3 name=freshet db=0 cmd=llen\n"
	if got := foreignClients(list); got != 2 {
		t.Errorf("%d clients, want the 2 that are not this program", got)
	}
}

// TestTable: each row says whether its bound is kept, and the bounds of reads
// are what the constant server gave.
func TestTable(t *testing.T) {
	r := &result{
		Settings: settings{Objects: 1000},
		Ready:    &readyFigures{Seconds: 25, HPAs: 1000, Objects: 999},
		Steady:   &usage{Processes: 1, CPUPercent: 4, ResidentMiB: 151, Connections: 1},
		Reads: []readFigures{
			{Server: "adapter", Connections: 5, P50: 0.5, P99: 9, PerSecond: 5000},
			{Server: "constant", Connections: 5, P50: 0.8, P99: 8, PerSecond: 4500},
			{Server: "kube-apiserver", Connections: 5, P50: 7, P99: 50, PerSecond: 600, Bad: 1},
		},
		Restart: &restartFigures{MostInFlight: 3},
	}
	got := map[string]string{}
	rows := tableOf(r)
	for _, row := range rows {
		switch {
		case row.Met == nil:
			got[row.Name] = "no bound"
		case *row.Met:
			got[row.Name] = "met"
		default:
			got[row.Name] = "missed"
		}
	}
	want := map[string]string{
		"until all objects have an HPA and are Ready": "missed", "objects without an HPA or not Ready": "missed",
		"steady: CPU": "met", "steady: resident memory": "missed", "steady: … without the program's own pages": "no bound", "steady: connections to Redis": "met",
		"steady: Redis commands": "no bound", "steady: round trips to Redis": "no bound",
		"read, 5 connections: p50": "met", "read, 5 connections: p99": "missed", "read, 5 connections: throughput": "met",
		"read, 5 connections to the kube-apiserver: p50": "no bound", "read, 5 connections to the kube-apiserver: p99": "no bound",
		"read, 5 connections to the kube-apiserver: throughput":              "no bound",
		"read, 5 connections to the kube-apiserver: answers without a value": "missed",
		"restart: all metrics served after":                                  "met", "restart: metrics that were not served": "met",
		"restart: changes of replicas": "met", "restart: requests in flight at a source, max": "missed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	text := tableText(rows)
	for _, part := range []string{"≥ 4500", "≤ 0.800", "MISSED", "7 of 13 bounds met"} {
		if !strings.Contains(text, part) {
			t.Errorf("the table lacks %q:\n%s", part, text)
		}
	}
	if rows := tableOf(&result{}); len(rows) > 0 {
		t.Errorf("nothing was measured, and the table has %v", rows)
	}
}

// TestPicture: the picture is well-formed and has a mark for each bound.
func TestPicture(t *testing.T) {
	rows := []row{
		row{Name: "a < b & c", Unit: "s", Ours: 1}.bound(2).beside(100),
		row{Name: "throughput", Ours: 0, AtLeast: true}.bound(10),
		row{Name: "none", Ours: 0}.bound(0),
		{Name: "without a bound", Ours: 5},
	}
	marks := map[string]int{}
	for d := xml.NewDecoder(strings.NewReader(picture("title", rows))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			marks[e.Name.Local]++
		}
	}
	// Three circles and the peer's square, beside those of the legend and the background.
	if marks["circle"] != 3+2 || marks["rect"] != 1+1+1 {
		t.Errorf("there are %d circles and %d squares, want 5 and 3", marks["circle"], marks["rect"])
	}
}

// TestPlace: the scale has better to the left, the bound in the middle, and ends.
func TestPlace(t *testing.T) {
	const left, middle, right = labelWidth, labelWidth + plotWidth/2, labelWidth + plotWidth
	atMost, atLeast, none := row{}.bound(2), row{AtLeast: true}.bound(100), row{}.bound(0)
	for _, tc := range []struct {
		reason string
		row    row
		value  float64
		want   float64
	}{
		{"at its bound", atMost, 2, middle},
		{"nothing at all is best", atMost, 0, left},
		{"a thousand times is the end", atMost, 2000, right},
		{"beyond it too", atMost, 1e9, right},
		{"ten times as many as at least", atLeast, 1000, middle - plotWidth/2.0/decades},
		{"none of what must be", atLeast, 0, right},
		{"none where none may be", none, 0, middle},
		{"one where none may be", none, 1, right},
	} {
		if got := place(multiple(tc.row, tc.value)); got < tc.want-0.01 || got > tc.want+0.01 {
			t.Errorf("%s: at %.2f, want %.2f", tc.reason, got, tc.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.0456: "0.046", 1.234: "1.23", 7: "7", 123.4: "123"} {
		if got := number(v); got != want {
			t.Errorf("number(%g) = %q, want %q", v, got, want)
		}
	}
}
