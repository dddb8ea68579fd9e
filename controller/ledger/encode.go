package ledger

import (
	"encoding/binary"
	"math"
	"time"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
)

// A decision is kept as its length, two bytes, and its fields in their order:
// numbers as varints, texts behind their length, floats as eight bytes.

const header = 2

// longest bounds what is kept of one decision, as its length is two bytes. Errors
// and sentences are cut: see clip.
const longest = math.MaxUint16 - header

// encode appends the decision. One that is too long loses its steps and inputs.
func encode(b []byte, d *whyv1alpha1.Decision) []byte {
	start := len(b)
	b = fields(append(b, 0, 0), d)
	if len(b)-start-header > longest {
		bare := *d
		bare.Inputs, bare.Steps = nil, nil
		b = fields(b[:start+header], &bare)
	}
	binary.LittleEndian.PutUint16(b[start:], uint16(len(b)-start-header))
	return b
}

// frame is how long the first decision is, with its header.
func frame(b []byte) int { return header + int(binary.LittleEndian.Uint16(b)) }

// Flags of an input.
const (
	hasValue = 1 << iota
	isTotal
	isActive
	isStandIn
)

func fields(b []byte, d *whyv1alpha1.Decision) []byte {
	b = binary.AppendVarint(b, d.At.Unix())
	b = text(b, string(d.By))
	b = text(b, d.Outcome)
	b = binary.AppendVarint(b, int64(d.From))
	b = binary.AppendVarint(b, int64(d.To))
	b = text(b, clip(d.Why))
	b = binary.AppendUvarint(b, uint64(len(d.Inputs)))
	for i := range d.Inputs {
		b = input(b, &d.Inputs[i])
	}
	b = binary.AppendUvarint(b, uint64(len(d.Steps)))
	for _, s := range d.Steps {
		b = text(b, s.Stage)
		b = binary.AppendVarint(b, int64(s.Replicas))
		b = text(b, clip(s.Why))
	}
	return b
}

func input(b []byte, in *whyv1alpha1.Input) []byte {
	flags := flag(in.Value != nil, hasValue) | flag(in.Total, isTotal) | flag(in.Active, isActive) | flag(in.StandIn, isStandIn)
	b = text(append(b, flags), in.Metric)
	if in.Value != nil {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(*in.Value))
	}
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(in.Target))
	b = binary.AppendVarint(b, int64(in.AgeSeconds*1000))
	b = binary.AppendVarint(b, int64(in.Asks))
	b = binary.AppendVarint(b, int64(in.Failures))
	return text(b, clip(in.Error))
}

func flag(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

// most is how many bytes of a sentence are kept.
const most = 500

// clip cuts a sentence that is too long, between two characters.
func clip(s string) string {
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && s[end]&0xc0 == 0x80 {
		end--
	}
	return s[:end] + "…"
}

func text(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decode reads the first decision, and returns what comes after it.
func decode(b []byte) (d whyv1alpha1.Decision, rest []byte) {
	end := frame(b)
	r := reader{b[header:end]}
	d.At = Second(time.Unix(r.varint(), 0))
	d.By, d.Outcome = whyv1alpha1.Maker(r.text()), r.text()
	d.From, d.To = int32(r.varint()), int32(r.varint())
	d.Why = r.text()
	for range r.uvarint() {
		d.Inputs = append(d.Inputs, r.input())
	}
	for range r.uvarint() {
		d.Steps = append(d.Steps, whyv1alpha1.Step{Stage: r.text(), Replicas: int32(r.varint()), Why: r.text()})
	}
	return d, b[end:]
}

// reader reads what was encoded.
type reader struct{ b []byte }

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.b)
	r.b = r.b[size:]
	return n
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b)
	r.b = r.b[size:]
	return n
}

func (r *reader) text() string {
	n := r.uvarint()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) float() float64 {
	f := math.Float64frombits(binary.LittleEndian.Uint64(r.b))
	r.b = r.b[8:]
	return f
}

func (r *reader) input() whyv1alpha1.Input {
	flags := r.b[0]
	r.b = r.b[1:]
	in := whyv1alpha1.Input{
		Metric: r.text(), Total: flags&isTotal != 0, Active: flags&isActive != 0, StandIn: flags&isStandIn != 0,
	}
	if flags&hasValue != 0 {
		in.Value = new(r.float())
	}
	in.Target = r.float()
	in.AgeSeconds = float64(r.varint()) / 1000
	in.Asks, in.Failures = int32(r.varint()), int32(r.varint())
	in.Error = r.text()
	return in
}
