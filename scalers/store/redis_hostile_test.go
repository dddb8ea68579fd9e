package store_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// hostile are replies that are no answer to what triggers ask.
var hostile = m{
	"garbage":             "\x00\xff\x13garbage\r\n",
	"HTTP":                "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
	"status":              "+OK\r\n",
	"text":                "$5\r\nhello\r\n",
	"nil":                 "$-1\r\n",
	"nil array":           "*-1\r\n",
	"null":                "_\r\n",
	"array":               "*1\r\n:5\r\n",
	"map":                 "%1\r\n+a\r\n:5\r\n",
	"bool":                "#t\r\n",
	"float":               ",1.5\r\n",
	"integer of letters":  ":five\r\n",
	"integer too large":   ":99999999999999999999\r\n",
	"negative":            ":-5\r\n",
	"empty integer":       ":\r\n",
	"empty line":          "\r\n",
	"endless bulk":        "$9223372036854775807\r\nx",
	"negative bulk":       "$-7\r\n",
	"endless array":       "*2147483647\r\n",
	"error":               "-ERR something\r\n",
	"loading":             "-LOADING Redis is loading the dataset in memory\r\n",
	"master down":         "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
	"moved":               "-MOVED 3999 127.0.0.1:6381\r\n",
	"try again":           "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
	"busy":                "-BUSY Redis is busy running a script.\r\n",
	"max clients":         "-ERR max number of clients reached\r\n",
	"push instead":        ">1\r\n+invalidate\r\n",
	"half a line":         ":5",
	"integer without end": ":" + strings.Repeat("1", 100_000),
	"huge text":           "$2147483647\r\n",
	"huge map":            "%2147483647\r\n",
	"huge set":            "~2147483647\r\n",
	"huge push":           ">2147483647\r\n",
	"many large arrays":   strings.Repeat("*1000000\r\n", 100),
	"nested arrays":       strings.Repeat("*1\r\n", 100_000),
	"nested maps":         strings.Repeat("%1\r\n+a\r\n", 100_000),
	"map as a key":        "%1\r\n%1\r\n+a\r\n+b\r\n+c\r\n",
	"attribute":           "|1\r\n+a\r\n+b\r\n",
	"endless line":        "+" + strings.Repeat("a", 1_000_000),
}

// self is how a scripted server names itself as the primary, and as the node of
// all slots.
const (
	selfPrimary = "*2\r\n+{{HOST}}\r\n+{{PORT}}\r\n"
	selfSlots   = "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n+{{HOST}}\r\n:{{PORT}}\r\n"
)

// A server that answers anything but what was asked for must never be read as a
// number, whatever was asked for.
func TestRedisHostileReplies(t *testing.T) {
	const noGroup, nilLag = "*0\r\n", "*1\r\n%3\r\n+name\r\n+g\r\n+lag\r\n_\r\n+last-delivered-id\r\n+5-5\r\n"
	for name, tc := range map[string]struct {
		typ      string
		metadata m
		replies  m // to which the hostile one is that of the command HOSTILE names
		hostile  string
	}{
		"length of a list":      {"redis", nil, nil, ""},
		"greeting":              {"redis", nil, m{"LLEN": "-ERR no\r\n"}, "HELLO"},
		"type":                  {"redis", nil, m{"LLEN": "-WRONGTYPE no\r\n"}, "TYPE"},
		"count of a set":        {"redis", nil, m{"LLEN": "-WRONGTYPE no\r\n", "TYPE": "+set\r\n"}, "SCARD"},
		"slots":                 {"redis-cluster", nil, m{"LLEN": ":5\r\n"}, "CLUSTER SLOTS"},
		"node":                  {"redis-cluster", nil, m{"CLUSTER SLOTS": selfSlots}, "LLEN"},
		"sentinel":              {"redis-sentinel", nil, m{"LLEN": ":5\r\n"}, "SENTINEL"},
		"primary":               {"redis-sentinel", nil, m{"SENTINEL": selfPrimary}, "LLEN"},
		"length of a stream":    {"redis-streams", nil, nil, ""},
		"pending":               {"redis-streams", pendingOf("g"), nil, ""},
		"that there is none":    {"redis-streams", pendingOf("g"), m{"XPENDING": "-NOGROUP no\r\n"}, "EXISTS"},
		"lag":                   {"redis-streams", lagOf("g"), nil, ""},
		"length without groups": {"redis-streams", lagOf("g"), m{"XINFO GROUPS": noGroup}, "XLEN"},
		"entries":               {"redis-streams", lagOf("g"), m{"XINFO GROUPS": nilLag, "XINFO STREAM": "%1\r\n+length\r\n:5\r\n"}, "XRANGE"},
		"lag in a cluster":      {"redis-cluster-streams", lagOf("g"), m{"CLUSTER SLOTS": selfSlots}, "XINFO"},
		"lag at a primary":      {"redis-sentinel-streams", lagOf("g"), m{"SENTINEL": selfPrimary}, "XINFO"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all sync.WaitGroup
			defer all.Wait()
			for what, reply := range hostile {
				if name == "entries" && what == "array" || name == "type" && (what == "status" || what == "text") {
					continue // it may be one
				}
				replies := m{tc.hostile: reply}
				for command, reply := range tc.replies {
					replies[command] = reply
				}
				s := hostileTrigger(t, tc.typ, scripted(t, replies), tc.metadata)
				conn := scalertest.Open(t, s)
				all.Go(func() { wantHostile(t, what, s, conn) })
			}
		})
	}
}

// hostileTrigger is a trigger at the address.
func hostileTrigger(t *testing.T, typ, addr string, metadata m) *scalers.Scaler {
	t.Helper()
	all := m{"address": addr}
	if strings.Contains(typ, "sentinel") {
		all["sentinelMaster"] = "mymaster"
	}
	all[map[bool]string{true: "stream", false: "listName"}[strings.HasSuffix(typ, "streams")]] = "orders"
	for key, value := range metadata {
		all[key] = value
	}
	return decode(t, typ, all, nil)
}

// wantHostile wants two triggers of one connection to have errors and no number.
func wantHostile(t *testing.T, what string, s *scalers.Scaler, conn scalers.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 500*time.Millisecond)
	defer cancel()
	out := make([]scalers.Result, 2)
	err := scalers.Read(ctx, conn, []*scalers.Scaler{s, s}, out)
	for i := range out {
		one := out[i].Err
		if err != nil {
			one = err
		}
		switch {
		case one == nil:
			t.Errorf("%s is read as %v", what, out[i].Value)
		case scalers.ClassOf(one) != scalers.Unavailable && !strings.HasPrefix(what, "nil") && what != "null":
			t.Errorf("%s: the error is of class %s: %v", what, scalers.ClassOf(one), one)
		}
	}
}
