package stream

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/findcoordinator"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
)

// samples are replies with something in every field.
var samples = []protocol.Message{
	&apiversions.Response{ErrorCode: 1, ApiKeys: []apiversions.ApiKeyResponse{{ApiKey: 2, MinVersion: 3, MaxVersion: 4}}, ThrottleTimeMs: 5},
	&saslhandshake.Response{ErrorCode: 33, Mechanisms: []string{"PLAIN", "SCRAM-SHA-256"}},
	&saslauthenticate.Response{ErrorCode: 58, ErrorMessage: "no", AuthBytes: []byte("v=abc"), SessionLifetimeMs: 1 << 40},
	&findcoordinator.Response{ThrottleTimeMs: 1, ErrorCode: -1, ErrorMessage: "x", NodeID: 2, Host: "h", Port: 9092},
	&metadata.Response{
		ThrottleTimeMs: 1, Brokers: []metadata.ResponseBroker{{NodeID: 1, Host: "a", Port: 9092, Rack: "r"}}, ClusterID: "c", ControllerID: 1,
		Topics: []metadata.ResponseTopic{{ErrorCode: 3, Name: "t", IsInternal: true, Partitions: []metadata.ResponsePartition{
			{ErrorCode: 5, PartitionIndex: 1, LeaderID: -1, LeaderEpoch: 7, ReplicaNodes: []int32{1, 2}, IsrNodes: []int32{1}, OfflineReplicas: []int32{2}},
		}, TopicAuthorizedOperations: 8}}, ClusterAuthorizedOperations: 9,
	},
	&listoffsets.Response{ThrottleTimeMs: 1, Topics: []listoffsets.ResponseTopic{{Topic: "t", Partitions: []listoffsets.ResponsePartition{
		{Partition: 1, ErrorCode: 6, Timestamp: -1, Offset: 1 << 50, LeaderEpoch: 3}, {Partition: 2},
	}}}},
	&offsetfetch.Response{ThrottleTimeMs: 1, Topics: []offsetfetch.ResponseTopic{{Name: "t", Partitions: []offsetfetch.ResponsePartition{
		{PartitionIndex: 1, CommittedOffset: -1, ComittedLeaderEpoch: -1, Metadata: "m", ErrorCode: 4},
	}}}, ErrorCode: 16},
}

// encode is the body of a reply as package kafka writes it.
func encode(t testing.TB, m protocol.Message, version int16) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := protocol.WriteResponse(&b, version, 1, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[8:]
}

func fresh(m protocol.Message) protocol.Message {
	return reflect.New(reflect.TypeOf(m).Elem()).Interface().(protocol.Message)
}

// TestDecodeReply decodes every reply in every version as package kafka does, and
// none that is shorter or longer.
func TestDecodeReply(t *testing.T) {
	for _, sample := range samples {
		api := sample.ApiKey()
		for version := api.MinVersion(); version <= api.MaxVersion(); version++ {
			body := encode(t, sample, version)
			_, want, err := protocol.ReadResponse(bytes.NewReader(append([]byte{0, 0, byte((len(body) + 4) >> 8), byte(len(body) + 4), 0, 0, 0, 1}, body...)), api, version)
			if err != nil {
				t.Fatal(err)
			}
			got := fresh(sample)
			if err := decodeReply(body, version, got); err != nil {
				t.Errorf("%s v%d: %v", api, version, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s v%d: (-want +got)\n%s", api, version, diff)
			}
			for n := range body {
				if err := decodeReply(body[:n], version, fresh(sample)); !errors.Is(err, errNoKafka) {
					t.Errorf("%s v%d: the first %d bytes of %d: %v", api, version, n, len(body), err)
				}
			}
			if err := decodeReply(append(body, 0), version, fresh(sample)); !errors.Is(err, errNoKafka) {
				t.Errorf("%s v%d: with a byte more: %v", api, version, err)
			}
		}
	}
}

// TestDecodeReplyBoundsMemory decodes replies that announce more than there is.
func TestDecodeReplyBoundsMemory(t *testing.T) {
	for _, sample := range samples {
		version := sample.ApiKey().MaxVersion()
		body := encode(t, sample, version)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range body {
			bad := bytes.Clone(body)
			copy(bad[i:], []byte{0x7f, 0xff, 0xff, 0xff})
			_ = decodeReply(bad, version, fresh(sample)) // may decode, to something else
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
			t.Errorf("%s: %d bytes were allocated", sample.ApiKey(), grown)
		}
	}
}

// FuzzDecodeReply decodes anything as every reply: what decodes is encoded again
// as the same bytes, but for how booleans and absent texts and lists are written.
func FuzzDecodeReply(f *testing.F) {
	for i, sample := range samples {
		version := sample.ApiKey().MaxVersion()
		f.Add(i, version, encode(f, sample, version))
	}
	f.Fuzz(func(t *testing.T, i int, version int16, body []byte) {
		sample := samples[uint(i)%uint(len(samples))]
		api := sample.ApiKey()
		version = api.MinVersion() + int16(uint16(version)%uint16(api.MaxVersion()-api.MinVersion()+1))
		got := fresh(sample)
		if decodeReply(body, version, got) != nil {
			return
		}
		if again := encode(t, got, version); len(again) != len(body) {
			t.Errorf("%s v%d: %d bytes are decoded, and encoded as %d", api, version, len(body), len(again))
		}
	})
}

func TestReadReply(t *testing.T) {
	for name, tc := range map[string]struct {
		wire string
		body string
		good bool
	}{
		"good":           {"\x00\x00\x00\x06\x00\x00\x00\x05ab", "ab", true},
		"empty":          {"\x00\x00\x00\x04\x00\x00\x00\x05", "", true},
		"too small":      {"\x00\x00\x00\x03\x00\x00\x00\x05", "", false},
		"negative":       {"\xff\xff\xff\xff\x00\x00\x00\x05", "", false},
		"too large":      {"\x04\x00\x00\x05\x00\x00\x00\x05", "", false},
		"ends in length": {"\x00\x00", "", false},
		"ends in head":   {"\x00\x00\x00\x06\x00", "", false},
		"ends in body":   {"\x00\x00\x00\x06\x00\x00\x00\x05a", "", false},
		"HTTP":           {"HTTP/1.1 400 Bad Request\r\n\r\n", "", false},
		"TLS":            {"\x15\x03\x03\x00\x02\x02\x46", "", false},
		"nothing":        {"", "", false},
	} {
		id, body, err := readReply(bytes.NewBufferString(tc.wire))
		if (err == nil) != tc.good || string(body) != tc.body || (tc.good && id != 5) {
			t.Errorf("%s: got %d, %q, %v", name, id, body, err)
		}
	}
}
