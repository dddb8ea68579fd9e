package scalertest

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// ReplayHTTP is a [Replay] of recorded HTTP replies. Every request is answered
// with the file reply.http or, where there is a file routes.yaml, with that of
// the first route that matches:
//
//   - {request: "GET /api/queues/.*", reply: queues.http}
//
// where request is a regular expression of the method and the path with its
// query. A reply is the status line, headers, an empty line and the body, as it
// goes over the wire but for line ends; Content-Length is added unless the reply
// has it or Transfer-Encoding, and a header "Repeat: n" sends the body n times.
// A request that no route matches fails the test.
func ReplayHTTP(t testing.TB, folder string) (address string) {
	t.Helper()
	routes := []route{{Request: ".*", Reply: "reply.http"}}
	if text, err := os.ReadFile(filepath.Join(folder, "routes.yaml")); err == nil {
		routes = nil
		if err := yaml.UnmarshalStrict(text, &routes); err != nil {
			t.Fatal(err)
		}
	}
	for i := range routes {
		routes[i].compile(t, folder)
	}
	return listen(t, func(c net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		line := request.Method + " " + request.URL.RequestURI()
		for i := range routes {
			if routes[i].pattern.MatchString(line) {
				_, _ = c.Write(routes[i].wire) // a client that hung up has what it wants
				return
			}
		}
		t.Errorf("no route matches the request %q", line)
	})
}

type route struct {
	Request, Reply string

	pattern *regexp.Regexp
	wire    []byte
}

func (r *route) compile(t testing.TB, folder string) {
	t.Helper()
	var err error
	if r.pattern, err = regexp.Compile("^(?:" + r.Request + ")$"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, r.Reply))
	if err != nil {
		t.Fatal(err)
	}
	if r.wire, err = wireReply(text); err != nil {
		t.Fatalf("%s: %v", r.Reply, err)
	}
}

// wireReply is a recorded reply as it goes over the wire.
func wireReply(text []byte) ([]byte, error) {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	head, body, ok := bytes.Cut(text, []byte("\n\n"))
	if !ok {
		head, body = bytes.TrimSuffix(text, []byte("\n")), nil
	}
	framed, repeat := false, 1
	var b bytes.Buffer
	for line := range strings.Lines(string(head)) {
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "repeat":
			var err error
			if repeat, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return nil, fmt.Errorf("header Repeat: %w", err)
			}
			continue
		case "transfer-encoding":
			framed, body = true, bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n")) // the lines are chunks
		case "content-length":
			framed = true
		}
		b.WriteString(line + "\r\n")
	}
	body = bytes.Repeat(body, repeat)
	if !framed {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("Connection: close\r\n\r\n")
	b.Write(body)
	return b.Bytes(), nil
}
