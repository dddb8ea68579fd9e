package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/segmentio/kafka-go/protocol"

	"github.com/freshet-io/freshet/scalers"
)

// mostReply is how long a reply may be, so that no server can exhaust memory.
const mostReply = 64 << 20

// errNoKafka says that what was read cannot come from a broker.
var errNoKafka = errors.New("it answers with something that is no reply of Kafka")

// readReply reads one reply: its correlation ID and its body.
func readReply(r io.Reader) (id int32, body []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:4]); err != nil {
		return 0, nil, fmt.Errorf("reading a reply: %w", err)
	}
	size := int64(int32(binary.BigEndian.Uint32(head[:]))) - 4
	switch {
	case head[0] == 0x15 && head[1] == 3: // an alert of TLS
		return 0, nil, scalers.ConfigurationError("it speaks TLS: set parameter tls to enable, or take its port without TLS")
	case size < 0 || size > mostReply:
		return 0, nil, errNoKafka
	}
	if _, err := io.ReadFull(r, head[4:]); err != nil {
		return 0, nil, fmt.Errorf("reading a reply: %w", err)
	}
	var b bytes.Buffer // grows with what comes, not with what is announced
	if _, err := io.CopyN(&b, r, size); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, fmt.Errorf("reading a reply: %w", err)
	}
	return int32(binary.BigEndian.Uint32(head[4:])), b.Bytes(), nil
}

// decodeReply fills dst, a pointer to a message of package protocol, from the
// body of a reply. A body that is shorter or longer than it says, in whole or in
// any part, is an error: what is missing must not be read as 0.
func decodeReply(body []byte, version int16, dst protocol.Message) error {
	v := reflect.ValueOf(dst).Elem()
	r := &replyReader{rest: body}
	shapeOf(v.Type(), version).read(r, v)
	if r.short || len(r.rest) > 0 {
		return fmt.Errorf("decoding a reply of %s: %w", dst.ApiKey(), errNoKafka)
	}
	return nil
}

// replyReader takes a body apart. Once it is short it yields only zeros.
type replyReader struct {
	rest  []byte
	short bool
}

func (r *replyReader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.short, r.rest = true, nil
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

// integer reads a number of that many bytes.
func (r *replyReader) integer(size int) int64 {
	var n uint64
	taken := r.take(size)
	for _, b := range taken {
		n = n<<8 | uint64(b)
	}
	unused := 64 - 8*size
	return int64(n<<unused) >> unused
}

// shape is how a type of package protocol stands in a reply of one version.
type shape struct {
	read func(*replyReader, reflect.Value)
	// least is the number of bytes it takes at least.
	least int
}

type shapeKey struct {
	typ     reflect.Type
	version int16
}

var shapes sync.Map // shapeKey → shape

func shapeOf(t reflect.Type, version int16) shape {
	key := shapeKey{t, version}
	if s, ok := shapes.Load(key); ok {
		return s.(shape)
	}
	s := newShape(t, version)
	shapes.Store(key, s)
	return s
}

// newShape panics on types that no reply has which is read here.
func newShape(t reflect.Type, version int16) shape {
	switch t.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		size := int(t.Size())
		return shape{func(r *replyReader, v reflect.Value) { v.SetInt(r.integer(size)) }, size}
	case reflect.Bool:
		return shape{func(r *replyReader, v reflect.Value) { v.SetBool(r.integer(1) != 0) }, 1}
	case reflect.String:
		return shape{func(r *replyReader, v reflect.Value) {
			if n := int(r.integer(2)); n >= 0 { // null is negative
				v.SetString(string(r.take(n)))
			}
		}, 2}
	case reflect.Slice:
		return sliceShape(t, version)
	case reflect.Struct:
		return structShape(t, version)
	default:
		panic(fmt.Sprintf("stream: no reply of Kafka holds a %s", t))
	}
}

func sliceShape(t reflect.Type, version int16) shape {
	if t.Elem().Kind() == reflect.Uint8 {
		return shape{func(r *replyReader, v reflect.Value) {
			if n := int(r.integer(4)); n >= 0 { // null is negative
				v.SetBytes(r.take(n))
			}
		}, 4}
	}
	elem := newShape(t.Elem(), version)
	return shape{func(r *replyReader, v reflect.Value) {
		n := int(r.integer(4))
		switch {
		case n < 0: // null
			return
		case n > len(r.rest)/elem.least: // more than can come
			r.short = true
			return
		}
		v.Set(reflect.MakeSlice(t, n, n))
		for i := range n {
			elem.read(r, v.Index(i))
		}
	}, 4}
}

func structShape(t reflect.Type, version int16) shape {
	type field struct {
		place int
		shape
	}
	var fields []field
	least := 0
	for i := range t.NumField() {
		if inVersion(t.Field(i).Tag.Get("kafka"), version) {
			f := field{i, newShape(t.Field(i).Type, version)}
			fields = append(fields, f)
			least += f.least
		}
	}
	return shape{func(r *replyReader, v reflect.Value) {
		for _, f := range fields {
			f.read(r, v.Field(f.place))
		}
	}, max(1, least)}
}

// inVersion tells whether a field with such a tag, as in min=v0,max=v5|min=v6,
// is part of a version.
func inVersion(tag string, version int16) bool {
	for alternative := range strings.SplitSeq(tag, "|") {
		least, most := int64(-1), int64(-1)
		for word := range strings.SplitSeq(alternative, ",") {
			if text, ok := strings.CutPrefix(word, "min=v"); ok {
				least, _ = strconv.ParseInt(text, 10, 16)
			}
			if text, ok := strings.CutPrefix(word, "max=v"); ok {
				most, _ = strconv.ParseInt(text, 10, 16)
			}
		}
		if least >= 0 && int64(version) >= least && int64(version) <= most {
			return true
		}
	}
	return false
}
