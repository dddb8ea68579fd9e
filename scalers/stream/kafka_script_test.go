package stream_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/findcoordinator"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// answers are the replies of a scripted cluster by the name of the request, as in
// script files.
type answers map[string]protocol.Message

// nameOf is the name of a request.
func nameOf(request protocol.Message) string {
	name := request.ApiKey().String()
	if r, ok := request.(*listoffsets.Request); ok {
		name += map[int64]string{-1: " end", -2: " start"}[r.Topics[0].Partitions[0].Timestamp]
	}
	return name
}

// hangUp and sayNothing are replies of brokers that are of no use.
func hangUp(protocol.Message, func(protocol.Message) []byte) []byte     { return nil }
func sayNothing(protocol.Message, func(protocol.Message) []byte) []byte { return []byte{} }

// play makes the script answer with these.
func (a answers) play(request protocol.Message, frame func(protocol.Message) []byte) []byte {
	if m := a[nameOf(request)]; m != nil {
		return frame(m)
	}
	return nil
}

func offsetsOf(offsets ...int64) *listoffsets.Response {
	t := listoffsets.ResponseTopic{Topic: "orders"}
	for i, o := range offsets {
		t.Partitions = append(t.Partitions, listoffsets.ResponsePartition{Partition: int32(i), Offset: o})
	}
	return &listoffsets.Response{Topics: []listoffsets.ResponseTopic{t}}
}

// orders is a cluster of scripted brokers of which the first coordinates the
// group and each leads a partition of the topic orders, with a lag of 6 in each.
func orders(brokers ...*script) answers {
	a := answers{"ApiVersions": allVersions()}
	meta := &metadata.Response{Topics: []metadata.ResponseTopic{{Name: "orders"}}}
	fetch := &offsetfetch.Response{Topics: []offsetfetch.ResponseTopic{{Name: "orders"}}}
	var ends, starts []int64
	for i, b := range brokers {
		meta.Brokers = append(meta.Brokers, metadata.ResponseBroker{NodeID: int32(i), Host: b.host, Port: b.port})
		meta.Topics[0].Partitions = append(meta.Topics[0].Partitions, metadata.ResponsePartition{PartitionIndex: int32(i), LeaderID: int32(i)})
		fetch.Topics[0].Partitions = append(fetch.Topics[0].Partitions, offsetfetch.ResponsePartition{PartitionIndex: int32(i), CommittedOffset: 4})
		ends, starts = append(ends, 10), append(starts, 1)
	}
	a["Metadata"], a["OffsetFetch"] = meta, fetch
	a["ListOffsets end"], a["ListOffsets start"] = offsetsOf(ends...), offsetsOf(starts...)
	a["FindCoordinator"] = &findcoordinator.Response{Host: brokers[0].host, Port: brokers[0].port}
	return a
}

// ordersAt reads the topic orders; earliest, so that a missing offset would show.
func ordersAt(t testing.TB, address string, metadata m) *scalers.Scaler {
	t.Helper()
	all := m{"topic": "orders", "offsetResetPolicy": "earliest", "lagThreshold": "1000"}
	for k, v := range metadata {
		all[k] = v
	}
	return lagOf(t, "kafka", address, "billing", all, nil)
}

// TestKafkaRepliesThatEndEarly cuts every reply at every byte: none may be read
// as a number.
func TestKafkaRepliesThatEndEarly(t *testing.T) {
	t.Parallel()
	s := newScript(t, nil)
	a := orders(s)
	for name := range a {
		for cut, whole := 1, 1<<10; cut <= whole; cut++ {
			var size atomic.Int64
			s.set(func(request protocol.Message, frame func(protocol.Message) []byte) []byte {
				reply := a.play(request, frame)
				if nameOf(request) != name {
					return reply
				}
				size.Store(int64(len(reply)))
				return shorter(reply, cut)
			})
			if v, err := readOne(t, ordersAt(t, s.addr, nil)); err == nil || scalers.ClassOf(err) == scalers.Authentication {
				t.Errorf("%s without its last %d bytes: got %+v, %v", name, cut, v, err)
			}
			whole = int(size.Load()) - 8 // but for the head
		}
	}
	s.set(a.play)
	v, err := readOne(t, ordersAt(t, s.addr, nil))
	wantValue(t, "whole", scalers.Result{Value: v, Err: err}, 6, 6)
}

func TestKafkaCoordinatorMoves(t *testing.T) {
	t.Parallel()
	old, next := newScript(t, nil), newScript(t, nil)
	a := orders(old)
	old.reply, next.reply = a.play, a.play
	s := ordersAt(t, old.addr, nil)
	conn := scalertest.Open(t, s)
	look := func(what string) {
		t.Helper()
		out, err := read(t, conn, s)
		if err != nil {
			t.Fatal(err)
		}
		wantValue(t, what, out[0], 6, 6)
	}
	look("at the old one")
	moved := answers{}
	for name, m := range a {
		moved[name] = m
	}
	moved["OffsetFetch"] = &offsetfetch.Response{ErrorCode: 16}
	moved["FindCoordinator"] = &findcoordinator.Response{Host: next.host, Port: next.port}
	old.set(moved.play)
	look("it says that it is not the coordinator")
	look("it is known where the group is")
	if n := next.count("OffsetFetch"); n != 2 {
		t.Errorf("the new coordinator was asked %d times, want 2", n)
	}
	next.set(hangUp)
	old.set(a.play)
	look("the new one is gone, and the old one has it again")
}

// TestKafkaOneBrokerHangs has a leader that never answers: only what it leads is
// not known.
func TestKafkaOneBrokerHangs(t *testing.T) {
	t.Parallel()
	good, mute := newScript(t, nil), newScript(t, nil)
	a := orders(good, mute)
	good.reply = a.play
	mute.reply = sayNothing
	whole, first := ordersAt(t, good.addr, nil), ordersAt(t, good.addr, m{"partitionLimitation": "0"})
	conn := scalertest.Open(t, whole)
	a["ListOffsets end"], a["ListOffsets start"] = offsetsOf(10), offsetsOf(1)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		out := make([]scalers.Result, 2)
		err := scalers.Read(ctx, conn, []*scalers.Scaler{whole, first}, out)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, "a leader that hangs", out[0].Err, scalers.Unavailable, "broker "+mute.addr)
		if !scalers.IsTimeout(out[0].Err) {
			t.Errorf("that time ran out cannot be told of %v", out[0].Err)
		}
		wantValue(t, "the other partition", out[1], 6, 6)
	}
}

func TestKafkaFirstBrokersAreDown(t *testing.T) {
	t.Parallel()
	good, mute := newScript(t, nil), newScript(t, nil)
	if good.addr < mute.addr { // they are tried in order
		good, mute = mute, good
	}
	good.reply = orders(good).play
	mute.reply = sayNothing
	gone := "127.0.0.1:1"
	s := ordersAt(t, strings.Join([]string{gone, mute.addr, good.addr}, ","), nil)
	conn := scalertest.Open(t, s)
	for i := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		var out [1]scalers.Result
		err := scalers.Read(ctx, conn, []*scalers.Scaler{s}, out[:])
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		wantValue(t, fmt.Sprintf("read %d", i), out[0], 6, 6)
	}
	if asked := mute.count("ApiVersions"); asked > 1 {
		t.Errorf("the broker that hangs was asked %d times, want once at most", asked)
	}
	_, err := readOne(t, ordersAt(t, gone+",localhost:1", nil))
	wantError(t, "all are down", err, scalers.Unavailable, "none of 2 brokers answers")
}

// TestKafkaOneAddressIsEnough takes the only broker away whose address was given.
func TestKafkaOneAddressIsEnough(t *testing.T) {
	t.Parallel()
	first, second := newScript(t, nil), newScript(t, nil)
	a := orders(second)
	first.reply, second.reply = a.play, a.play
	s := ordersAt(t, first.addr, nil)
	conn := scalertest.Open(t, s)
	for _, what := range []string{"both", "the second alone", "the second again"} {
		out, err := read(t, conn, s)
		if err != nil {
			t.Fatal(err)
		}
		wantValue(t, what, out[0], 6, 6)
		first.set(hangUp)
	}
	_, err := readOne(t, s)
	wantError(t, "a new connection", err, scalers.Unavailable, "broker "+first.addr)
}

// TestKafkaWrongPasswordIsTriedOnce sees that no broker after the first is given
// credentials that it refused: accounts may be locked.
func TestKafkaWrongPasswordIsTriedOnce(t *testing.T) {
	t.Parallel()
	var brokers []*script
	for range 3 {
		s := newScript(t, nil)
		a := answers{
			"ApiVersions": allVersions(), "SaslHandshake": &saslhandshake.Response{Mechanisms: []string{"PLAIN"}},
			"SaslAuthenticate": &saslauthenticate.Response{ErrorCode: 58, ErrorMessage: "no such password: the-secret"},
		}
		s.reply = a.play
		brokers = append(brokers, s)
	}
	addresses := brokers[0].addr + "," + brokers[1].addr + "," + brokers[2].addr
	s := lagOf(t, "kafka", addresses, "billing", m{"topic": "orders", "sasl": "plaintext"}, m{"username": "u", "password": "the-secret"})
	_, err := readOne(t, s)
	wantError(t, "a wrong password", err, scalers.Authentication, "check parameters sasl, username and password")
	tries := 0
	for _, b := range brokers {
		tries += b.count("SaslAuthenticate")
	}
	if tries != 1 {
		t.Errorf("the password was tried %d times", tries)
	}
}

// TestKafkaBrokersThatLeave sees that connections to brokers which are no part of
// the cluster any more are closed.
func TestKafkaBrokersThatLeave(t *testing.T) {
	t.Parallel()
	stays, leaves := newScript(t, nil), newScript(t, nil)
	both, alone := orders(stays, leaves), orders(stays)
	stays.reply, leaves.reply = both.play, both.play
	s := ordersAt(t, stays.addr, nil)
	conn := scalertest.Open(t, s)
	look := func(want float64) {
		t.Helper()
		out, err := read(t, conn, s)
		if err != nil {
			t.Fatal(err)
		}
		wantValue(t, "a read", out[0], want, want)
	}
	look(12)
	stays.set(alone.play)
	look(6)
	eventually(t, "waiting for the connection to the broker that left", func() error {
		if open := leaves.open.Load(); open > 0 {
			return fmt.Errorf("%d connections are open", open)
		}
		return nil
	})
}
