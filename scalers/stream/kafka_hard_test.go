package stream_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// deleteRecords is a request that package kafka does not have: what a partition
// holds before an offset goes, as by retention.
type deleteRecords struct {
	Topics  []deleteTopic `kafka:"min=v0,max=v1"`
	Timeout int32         `kafka:"min=v0,max=v1"`
}

type deleteTopic struct {
	Name       string            `kafka:"min=v0,max=v1"`
	Partitions []deletePartition `kafka:"min=v0,max=v1"`
}

type deletePartition struct {
	Index  int32 `kafka:"min=v0,max=v1"`
	Before int64 `kafka:"min=v0,max=v1"`
}

type deletedRecords struct {
	Throttle int32          `kafka:"min=v0,max=v1"`
	Topics   []deletedTopic `kafka:"min=v0,max=v1"`
}

type deletedTopic struct {
	Name       string             `kafka:"min=v0,max=v1"`
	Partitions []deletedPartition `kafka:"min=v0,max=v1"`
}

type deletedPartition struct {
	Index     int32 `kafka:"min=v0,max=v1"`
	Low       int64 `kafka:"min=v0,max=v1"`
	ErrorCode int16 `kafka:"min=v0,max=v1"`
}

func (*deleteRecords) ApiKey() protocol.ApiKey  { return protocol.DeleteRecords }
func (*deletedRecords) ApiKey() protocol.ApiKey { return protocol.DeleteRecords }

func init() { protocol.Register(&deleteRecords{}, &deletedRecords{}) }

// expire deletes the messages of partition 0 before the offset.
func (c *cluster) expire(t testing.TB, topic string, before int64) {
	t.Helper()
	r, err := c.admin.Transport.RoundTrip(t.Context(), c.admin.Addr, &deleteRecords{
		Topics: []deleteTopic{{topic, []deletePartition{{0, before}}}}, Timeout: 10_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	if p := r.(*deletedRecords).Topics[0].Partitions[0]; p.ErrorCode != 0 || p.Low != before {
		t.Fatalf("deleting records: %+v", p)
	}
}

func TestKafkaDoesNotCountWhatRetentionDeleted(t *testing.T) {
	t.Parallel()
	c := shared(t)
	topic := c.topic(t, 10)
	late, never, done := unique(t, "group"), unique(t, "group"), unique(t, "group")
	c.commit(t, late, topic, 2)
	c.commit(t, done, topic, 10)
	c.expire(t, topic, 7)
	for name, tc := range map[string]struct {
		s    *scalers.Scaler
		want float64
	}{
		"expired":             {c.lag(t, late, m{"topic": topic}), 3},
		"consumed":            {c.lag(t, done, m{"topic": topic}), 0},
		"nothing committed":   {c.lag(t, never, m{"topic": topic, "offsetResetPolicy": "earliest"}), 3},
		"expired, all topics": {c.lag(t, late, nil), 3},
	} {
		v, err := readOne(t, tc.s)
		wantValue(t, name, scalers.Result{Value: v, Err: err}, tc.want, tc.want)
	}
	c.expire(t, topic, 10)
	v, err := readOne(t, c.lag(t, late, m{"topic": topic}))
	wantValue(t, "everything deleted", scalers.Result{Value: v, Err: err}, 0, 0)
}

func TestKafkaTopicMadeAnew(t *testing.T) {
	t.Parallel()
	c := shared(t)
	topic, other := c.topic(t, 10), c.topic(t, 4)
	group := unique(t, "group")
	deleted, err := c.admin.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil || deleted.Errors[topic] != nil {
		t.Fatal(err, deleted)
	}
	eventually(t, "reading a topic that is gone", func() error { // brokers need a moment to know
		if _, err = readOne(t, c.lag(t, group, m{"topic": topic + "," + other})); scalers.ClassOf(err) != scalers.Configuration {
			return fmt.Errorf("the error is %w", err)
		}
		return nil
	})
	wantError(t, "a topic that is gone", err, scalers.Configuration, "does not exist: create it")
	c.create(t, kafka.TopicConfig{Topic: topic, NumPartitions: 1, ReplicationFactor: 1})
	c.produce(t, topic, 0, 3)
	c.commit(t, group, topic, 10)
	c.commit(t, group, other, 0)
	v, err := readOne(t, c.lag(t, group, m{"topic": topic}))
	wantValue(t, "committed beyond the end", scalers.Result{Value: v, Err: err}, 0, 0)
	v, err = readOne(t, c.lag(t, group, nil))
	wantValue(t, "beside another topic", scalers.Result{Value: v, Err: err}, 4, 4)
}

func TestKafkaPersistentLag(t *testing.T) {
	t.Parallel()
	c := shared(t)
	topic := c.topic(t, 10, 10)
	group := unique(t, "group")
	c.commit(t, group, topic, 4, 5)
	s := c.lag(t, group, m{"topic": topic, "excludePersistentLag": "true"})
	conn := scalertest.Open(t, s)
	began := time.Now()
	look := func(what string, after time.Duration, metric, activity float64) {
		t.Helper()
		ctx, cancel := context.WithTimeout(scalers.WithNow(t.Context(), began.Add(after)), patience)
		defer cancel()
		var out [1]scalers.Result
		if err := scalers.Read(ctx, conn, []*scalers.Scaler{s}, out[:]); err != nil {
			t.Fatal(err)
		}
		wantValue(t, what, out[0], metric, activity)
	}
	look("first", 0, 11, 11)
	look("a query of the HPA in between", 15*time.Second, 11, 11)
	c.commit(t, group, topic, 6, 5)
	look("partition 1 is stuck", 30*time.Second, 4, 9)

	// A read that fails says nothing of how far the group is.
	ctx, cancel := context.WithCancel(scalers.WithNow(t.Context(), began.Add(40*time.Second)))
	cancel()
	var out [1]scalers.Result
	if err := scalers.Read(ctx, conn, []*scalers.Scaler{s}, out[:]); err == nil && out[0].Err == nil {
		t.Fatal("a canceled read has a value")
	}
	look("partition 0 is stuck too", 60*time.Second, 0, 9)
	c.commit(t, group, topic, 7, 5)
	look("partition 0 goes on", 70*time.Second, 3, 8)
}

func TestKafkaFaultsOfOneTriggerHurtItAlone(t *testing.T) {
	t.Parallel()
	c := shared(t)
	topic := c.topic(t, 5, 5)
	group := unique(t, "group")
	c.commit(t, group, topic, 1, 2)
	batch := []*scalers.Scaler{
		c.lag(t, group, m{"topic": topic}),
		c.lag(t, group, m{"topic": topic + ".nosuch"}),
		c.lag(t, unique(t, "group"), nil),
		c.lag(t, group, m{"topic": topic, "partitionLimitation": "2-9"}),
		c.lag(t, group, nil),
	}
	out, err := read(t, scalertest.Open(t, batch[0]), batch...)
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, "good", out[0], 7, 7)
	wantError(t, "no topic", out[1].Err, scalers.Configuration, "does not exist")
	wantError(t, "no offset", out[2].Err, scalers.Configuration, "set parameter topic")
	wantError(t, "no partition", out[3].Err, scalers.Configuration, "partitionLimitation")
	wantValue(t, "every topic", out[4], 7, 7)
}

// TestKafkaPartitionWithoutLeader takes one of two brokers away.
func TestKafkaPartitionWithoutLeader(t *testing.T) {
	c := started(t, theBreakable)
	topic := unique(t, "topic")
	c.create(t, kafka.TopicConfig{Topic: topic, NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignments: []kafka.ReplicaAssignment{
		{Partition: 0, Replicas: []int{1}}, {Partition: 1, Replicas: []int{2}},
	}})
	c.produce(t, topic, 0, 5)
	c.produce(t, topic, 1, 7)
	whole := c.lag(t, "nobody", m{"topic": topic, "offsetResetPolicy": "earliest", "lagThreshold": "1000"})
	first := c.lag(t, "nobody", m{"topic": topic, "offsetResetPolicy": "earliest", "lagThreshold": "1000", "partitionLimitation": "0"})
	conn := scalertest.Open(t, whole)
	look := func() []scalers.Result {
		t.Helper()
		out, err := read(t, conn, whole, first)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	both := func() error {
		if out := look(); out[0].Err != nil || out[0].Value.Metric != 12 {
			return fmt.Errorf("the lag is %+v, %w", out[0].Value, out[0].Err)
		}
		return nil
	}
	eventually(t, "reading of both brokers", both) // the first group of all has no coordinator for a moment
	if err := c.KillBroker(2); err != nil {
		t.Fatal(err)
	}
	var out []scalers.Result
	for range 20 { // while the cluster does not know yet, and when it does
		if out = look(); out[0].Err == nil {
			t.Fatalf("without a broker the lag is %+v", out[0].Value)
		} else if class := scalers.ClassOf(out[0].Err); class != scalers.Unavailable {
			t.Fatalf("the error is of class %s: %v", class, out[0].Err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	wantError(t, "no leader", out[0].Err, scalers.Unavailable, "partition 1 of topic")
	if out[1].Err == nil { // its group may have been kept by the broker that is gone
		wantValue(t, "the partition that is left", out[1], 5, 5)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "reading when the broker is back", both)
}
