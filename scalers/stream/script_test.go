package stream_test

import (
	"bytes"
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/template"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/findcoordinator"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"sigs.k8s.io/yaml"

	"github.com/freshet-io/freshet/scalers/scalertest"
)

// script is a broker that answers as it is told. Reply is called for one request
// at a time; what it returns is sent as it is, nil hangs up, and an empty answer
// leaves the client waiting.
type script struct {
	addr string
	host string
	port int32
	// open is how many connections there are.
	open atomic.Int32

	mu    sync.Mutex
	reply reply
	asked map[string]int
}

// reply is what is sent for a request; frame makes it of a message.
type reply func(request protocol.Message, frame func(protocol.Message) []byte) []byte

// set changes how the broker answers.
func (s *script) set(r reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply = r
}

// count is how many requests of an API came.
func (s *script) count(api string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[api]
}

func newScript(t testing.TB, r reply) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newScriptAt(t, l, r)
}

func newScriptAt(t testing.TB, l net.Listener, r reply) *script {
	t.Helper()
	s := &script{
		addr: l.Addr().String(), host: "127.0.0.1", port: int32(l.Addr().(*net.TCPAddr).Port), reply: r, asked: map[string]int{},
	}
	var open sync.Map
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(c, nil)
			go s.serve(c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
	})
	return s
}

func (s *script) serve(c net.Conn) {
	defer c.Close()
	s.open.Add(1)
	defer s.open.Add(-1)
	for {
		version, id, _, request, err := protocol.ReadRequest(c)
		if err != nil {
			return
		}
		frame := func(m protocol.Message) []byte {
			var b bytes.Buffer
			if err := protocol.WriteResponse(&b, version, id, m); err != nil {
				panic(err)
			}
			return b.Bytes()
		}
		s.mu.Lock()
		s.asked[request.ApiKey().String()]++
		answer := s.reply(request, frame)
		s.mu.Unlock()
		if answer == nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// allVersions are those of every API that is asked for.
func allVersions() *apiversions.Response {
	r := &apiversions.Response{}
	for _, api := range []protocol.ApiKey{
		protocol.ApiVersions, protocol.Metadata, protocol.FindCoordinator, protocol.OffsetFetch, protocol.ListOffsets,
		protocol.SaslHandshake, protocol.SaslAuthenticate,
	} {
		r.ApiKeys = append(r.ApiKeys, apiversions.ApiKeyResponse{ApiKey: int16(api), MinVersion: 0, MaxVersion: api.MaxVersion()})
	}
	return r
}

// replies are the messages that a script file can hold.
var replies = map[string]func() protocol.Message{
	"ApiVersions":       func() protocol.Message { return new(apiversions.Response) },
	"Metadata":          func() protocol.Message { return new(metadata.Response) },
	"FindCoordinator":   func() protocol.Message { return new(findcoordinator.Response) },
	"OffsetFetch":       func() protocol.Message { return new(offsetfetch.Response) },
	"ListOffsets end":   func() protocol.Message { return new(listoffsets.Response) },
	"ListOffsets start": func() protocol.Message { return new(listoffsets.Response) },
	"SaslHandshake":     func() protocol.Message { return new(saslhandshake.Response) },
	"SaslAuthenticate":  func() protocol.Message { return new(saslauthenticate.Response) },
}

// recorded is the reply to an API in a script file.
type recorded struct {
	// Reply is the message, with the names of package kafka.
	Reply any
	// Cut sends that many bytes of it and hangs up.
	Cut int
	// Short sends a whole reply whose body is that many bytes shorter than it should be.
	Short int
	// Raw is sent in its place: hexadecimal, with spaces.
	Raw string
	// Text is sent in its place.
	Text string
}

// replay starts a broker that answers as the file script.yaml of the folder says,
// in which {{.Host}} and {{.Port}} are its own. The versions and the coordinator
// need not be given. It is a [scalertest.Replay].
func replay(t testing.TB, folder string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "script.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]recorded{}
	s := newScript(t, nil)
	s.set(func(request protocol.Message, frame func(protocol.Message) []byte) []byte {
		name := nameOf(request)
		answer, ok := answers[name]
		if !ok {
			switch name {
			case "ApiVersions":
				return frame(allVersions())
			case "FindCoordinator":
				return frame(&findcoordinator.Response{NodeID: 1, Host: s.host, Port: s.port})
			}
			t.Errorf("the script has no reply to %s", name)
			return nil
		}
		return answer.wire(t, replies[name](), frame)
	})
	tmpl, err := template.New("script").Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, map[string]any{"Host": s.host, "Port": s.port}); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := yaml.UnmarshalStrict(b.Bytes(), &answers); err != nil {
		t.Fatal(err)
	}
	for name := range answers {
		if replies[name] == nil {
			t.Fatalf("there is no reply to %s", name)
		}
	}
	return s.addr
}

// wire is what is sent.
func (r recorded) wire(t testing.TB, message protocol.Message, frame func(protocol.Message) []byte) []byte {
	switch {
	case r.Text != "":
		return []byte(r.Text)
	case r.Raw != "":
		raw, err := hex.DecodeString(strings.ReplaceAll(r.Raw, " ", ""))
		if err != nil {
			t.Error(err)
		}
		return raw
	}
	text, err := yaml.Marshal(r.Reply)
	if err == nil {
		err = yaml.UnmarshalStrict(text, message)
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	whole := frame(message)
	switch {
	case r.Cut > 0:
		return whole[:r.Cut] // the client waits for more
	case r.Short > 0:
		return shorter(whole, r.Short)
	}
	return whole
}

// shorter is a frame without its last bytes, which says so.
func shorter(frame []byte, n int) []byte {
	cut := bytes.Clone(frame[:len(frame)-n])
	size := len(cut) - 4
	copy(cut, []byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)})
	return cut
}

func TestKafkaFixtures(t *testing.T) { scalertest.Fixtures(t, "testdata", replay) }
