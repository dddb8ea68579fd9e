package stream_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
	_ "github.com/freshet-io/freshet/scalers/stream"
)

type m = map[string]string

// cluster is one broker that all tests share: each has topics and groups of its
// own.
type cluster struct {
	*servers.Kafka
	admin *kafka.Client
	proxy *proxy
	ca    *servers.Authority
}

// users are those of the shared cluster, who may read what nobody says.
var users = map[string]string{"reader": "reader-secret", "stranger": "stranger-secret"}

// sessions is how long a SASL session of the shared cluster lasts.
const sessions = 1500 * time.Millisecond

var theCluster = sync.OnceValues(startCluster)

func startCluster() (*cluster, error) {
	p, err := newProxy()
	if err != nil {
		return nil, err
	}
	ca, err := servers.NewAuthority("test")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "stream")
	if err != nil {
		return nil, err
	}
	cleanUp = append(cleanUp, func() { os.RemoveAll(dir) })
	files, err := ca.WriteServer(dir)
	if err != nil {
		return nil, err
	}
	k, err := servers.StartKafka(context.Background(), servers.KafkaOptions{Users: users, Proxy: p.addr(), TLS: files, MaxReauth: sessions})
	if err != nil {
		return nil, err
	}
	p.to(k.Addr(servers.KafkaProxied))
	c := newCluster(k)
	c.proxy, c.ca = p, ca
	return c, c.warmUp()
}

// warmUp waits until groups have coordinators: the first of all makes the topic
// that they are kept in.
func (c *cluster) warmUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := 0; i < 10; { // enough to meet every partition of that topic
		r, err := c.admin.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: fmt.Sprint("warm-up-", i)})
		switch {
		case err == nil && r.Error == nil:
			i++
		case ctx.Err() != nil:
			return fmt.Errorf("waiting for coordinators: %w", ctx.Err())
		default:
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// theBreakable is two brokers that tests may take away. These tests run one after
// the other, and leave both running.
var theBreakable = sync.OnceValues(func() (*cluster, error) {
	k, err := servers.StartKafka(context.Background(), servers.KafkaOptions{Brokers: 2})
	if err != nil {
		return nil, err
	}
	c := newCluster(k)
	return c, c.warmUp()
})

// newCluster is a cluster that is stopped after all tests.
func newCluster(k *servers.Kafka) *cluster {
	transport := &kafka.Transport{MetadataTTL: time.Second}
	cleanUp = append(cleanUp, transport.CloseIdleConnections, func() {
		if err := k.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	})
	return &cluster{Kafka: k, admin: &kafka.Client{Addr: kafka.TCP(k.Addr(servers.KafkaPlain)), Transport: transport}}
}

var cleanUp []func()

func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range cleanUp {
		f()
	}
	os.Exit(code)
}

// shared is the cluster that tests share. Where Kafka is not installed the test
// is skipped or, in CI, fails.
func shared(t testing.TB) *cluster {
	t.Helper()
	return started(t, theCluster)
}

func started(t testing.TB, start func() (*cluster, error)) *cluster {
	t.Helper()
	c, err := start()
	switch {
	case servers.IsNotInstalled(err) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return c
}

var lastName atomic.Int64

// unique is a name that nothing else in this run has.
func unique(t testing.TB, what string) string {
	return fmt.Sprintf("%s-%s-%d", strings.NewReplacer("/", ".", "#", ".").Replace(t.Name()), what, lastName.Add(1))
}

// topic makes a topic with that many partitions and messages in each.
func (c *cluster) topic(t testing.TB, messages ...int) string {
	t.Helper()
	name := unique(t, "topic")
	c.create(t, kafka.TopicConfig{Topic: name, NumPartitions: len(messages), ReplicationFactor: 1})
	for partition, n := range messages {
		c.produce(t, name, partition, n)
	}
	return name
}

func (c *cluster) create(t testing.TB, topic kafka.TopicConfig) {
	t.Helper()
	r, err := c.admin.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err == nil {
		err = r.Errors[topic.Topic]
	}
	if err != nil {
		t.Fatalf("creating topic %s: %v", topic.Topic, err)
	}
}

// produce writes messages into a partition.
func (c *cluster) produce(t testing.TB, topic string, partition, n int) {
	t.Helper()
	want := int64(-1)
	eventually(t, fmt.Sprintf("producing to partition %d of %s", partition, topic), func() error {
		end, err := c.end(t, topic, partition)
		if err != nil {
			return err
		}
		if want < 0 {
			want = end + int64(n)
		}
		if end >= want { // an attempt that failed may have written
			return nil
		}
		records := make([]kafka.Record, want-end)
		for i := range records {
			records[i].Value = kafka.NewBytes([]byte("x"))
		}
		r, err := c.admin.Produce(t.Context(), &kafka.ProduceRequest{
			Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
		})
		if err != nil {
			return err
		}
		return r.Error
	})
}

// end is the offset of the next message of a partition.
func (c *cluster) end(t testing.TB, topic string, partition int) (int64, error) {
	r, err := c.admin.ListOffsets(t.Context(), &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: {kafka.LastOffsetOf(partition)}},
	})
	if err != nil {
		return 0, err
	}
	if len(r.Topics[topic]) != 1 {
		return 0, fmt.Errorf("the cluster says %+v", r.Topics)
	}
	p := r.Topics[topic][0]
	return p.LastOffset, p.Error
}

// eventually does what a cluster may refuse until all of it knows of a change.
func eventually(t testing.TB, what string, do func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := do()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// commit has a group commit an offset for each partition; -1 leaves one out.
func (c *cluster) commit(t testing.TB, group, topic string, offsets ...int64) {
	t.Helper()
	var all []kafka.OffsetCommit
	for partition, offset := range offsets {
		if offset >= 0 {
			all = append(all, kafka.OffsetCommit{Partition: partition, Offset: offset})
		}
	}
	eventually(t, "committing", func() error { // the first commit of all makes the topic of offsets
		r, err := c.admin.OffsetCommit(t.Context(), &kafka.OffsetCommitRequest{
			GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: all},
		})
		if err != nil {
			return err
		}
		for _, p := range r.Topics[topic] {
			if p.Error != nil {
				return p.Error
			}
		}
		return nil
	})
}

// lagOf is a trigger of the type at the address; more parameters come from
// metadata, where an empty one takes a parameter away, and the authentication.
func lagOf(t testing.TB, typeName, address, group string, metadata, auth m) *scalers.Scaler {
	t.Helper()
	s, err := decode(typeName, address, group, metadata, auth)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decode(typeName, address, group string, metadata, auth m) (*scalers.Scaler, error) {
	all := m{"bootstrapServers": address, "consumerGroup": group}
	maps.Copy(all, metadata)
	maps.DeleteFunc(all, func(_, v string) bool { return v == "" })
	s, _, err := scalers.Decode(typeName, param.Input{Metadata: all, Auth: auth}, scalers.Setting{PollingInterval: 30 * time.Second})
	return s, err
}

// lag is a kafka trigger of the shared cluster.
func (c *cluster) lag(t testing.TB, group string, metadata m) *scalers.Scaler {
	t.Helper()
	return lagOf(t, "kafka", c.Addr(servers.KafkaPlain), group, metadata, nil)
}

// patience is a deadline that no healthy broker needs.
const patience = 20 * time.Second

// read reads scalers of one source in one call.
func read(t testing.TB, conn scalers.Conn, batch ...*scalers.Scaler) ([]scalers.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out := make([]scalers.Result, len(batch))
	return out, scalers.Read(ctx, conn, batch, out)
}

// readOne reads one scaler with a connection of its own.
func readOne(t testing.TB, s *scalers.Scaler) (scalers.Value, error) {
	t.Helper()
	conn, err := s.Source.Open(t.Context())
	if err != nil {
		return scalers.Value{}, err
	}
	defer conn.Close()
	out, err := read(t, conn, s)
	if err == nil {
		err = out[0].Err
	}
	return out[0].Value, err
}

// wantValue checks the metric and the activity.
func wantValue(t testing.TB, what string, r scalers.Result, metric, activity float64) {
	t.Helper()
	if r.Err != nil || r.Value.Metric != metric || r.Value.Activity != activity {
		t.Errorf("%s: got %+v, %v; want metric %v and activity %v", what, r.Value, r.Err, metric, activity)
	}
}

// wantError checks the class of an error and a part of its text.
func wantError(t testing.TB, what string, err error, class scalers.Class, part string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: there is no error, want one of class %s", what, class)
	case scalers.ClassOf(err) != class || !strings.Contains(err.Error(), part):
		t.Errorf("%s: got an error of class %s: %v\nwant one of class %s with %q", what, scalers.ClassOf(err), err, class, part)
	case strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret"):
		t.Errorf("%s: the error is not one line, or tells a secret: %q", what, err)
	}
}
