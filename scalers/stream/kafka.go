package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

func init() {
	example := map[string]string{
		"bootstrapServers": "kafka.default.svc:9092", "consumerGroup": "billing", "topic": "orders", "lagThreshold": "50",
	}
	scalers.Register(scalers.Kind[*kafkaConn, *Kafka]{
		Types: []string{"kafka"}, Category: "stream", Since: "0.1.0", Label: "kafkaScaler",
		Example: example, ReadsTarget: true, Idle: time.Second, ReadAll: readKafka[*Kafka],
	})
	scalers.Register(scalers.Kind[*kafkaConn, *ApacheKafka]{
		Types: []string{"apache-kafka"}, Category: "stream", Since: "0.1.0", Label: "apacheKafkaScaler",
		Example: example, ReadsTarget: true, Idle: time.Second, ReadAll: readKafka[*ApacheKafka],
	})
}

// Kafka scales on how many messages a consumer group has yet to consume in the
// topics of a Kafka cluster. It asks for no more replicas than there are
// partitions, unless it is told to.
type Kafka struct{ KafkaGroup }

// ApacheKafka scales on how many messages a consumer group has yet to consume in
// the topics of a Kafka cluster. It is the kafka trigger under another name.
type ApacheKafka struct{ KafkaGroup }

// KafkaGroup is the consumer group whose lag is read, and what the lag means.
type KafkaGroup struct {
	// Consumer group whose lag is read.
	Group string `param:"consumerGroup" from:"metadata,env"`
	// Topics whose lag is read, separated by commas. Without it they are those in
	// which the group committed an offset.
	Topics []string `param:"topic,optional" from:"metadata,env"`
	// Partitions that count, such as 1,3,5-9. Without it, or without topic, all do.
	Partitions []int64 `param:"partitionLimitation,optional" range:"-"`
	// Lag that one replica should handle.
	LagThreshold int64 `param:"lagThreshold" default:"10" role:"target" min:"1"`
	// Lag above which the workload leaves zero.
	ActivationLagThreshold int64 `param:"activationLagThreshold" default:"0" role:"activation" min:"0"`
	// Where the consumers begin in a partition of which nothing is committed. With
	// earliest all its messages count, with latest it counts 1.
	OffsetResetPolicy string `param:"offsetResetPolicy" default:"latest" enum:"latest,earliest"`
	// Ask for more replicas than there are partitions when the lag is high.
	AllowIdleConsumers bool `param:"allowIdleConsumers" default:"false"`
	// Leave out, from what decides between 1 and more replicas, partitions with
	// messages left whose committed offset has not moved for a polling interval.
	ExcludePersistentLag bool `param:"excludePersistentLag" default:"false"`
	// Count nothing for a partition of which nothing is committed.
	ScaleToZeroOnInvalidOffset bool `param:"scaleToZeroOnInvalidOffset" default:"false"`
	// Ask for no more replicas than there are partitions with a lag.
	LimitToPartitionsWithLag bool `param:"limitToPartitionsWithLag" default:"false"`
	// Ask for as many replicas as share the partitions evenly.
	EnsureEvenDistribution bool `param:"ensureEvenDistributionOfPartitions" default:"false"`
	// Has no effect: only what is needed is asked for. False needs topic.
	FullMetadata bool `param:"fullMetadata" default:"true"`
	// Version of the brokers. It has no effect: the brokers are asked for theirs.
	Version string `param:"version,optional"`
	// The cluster to read.
	KafkaCluster

	// PersistentAfter is the polling interval, where ExcludePersistentLag needs it.
	PersistentAfter time.Duration

	// marks are how far the group was at the last read that succeeded, and seen is
	// what it came to; nil before.
	marks marks
	seen  *seenGroup
}

// defaultPollingInterval is that of an object that says nothing.
const defaultPollingInterval = 30 * time.Second

// Bind keeps the polling interval, and the identity that the cluster is shown.
func (g *KafkaGroup) Bind(s scalers.Setting) error {
	if g.ExcludePersistentLag {
		if g.PersistentAfter = s.PollingInterval; g.PersistentAfter <= 0 {
			g.PersistentAfter = defaultPollingInterval
		}
	}
	g.Brokers, g.Topics = notEmpty(g.Brokers), notEmpty(g.Topics)
	return g.bind(s)
}

// notEmpty is the list without empty texts, which stray commas leave.
func notEmpty(list []string) []string {
	return slices.DeleteFunc(list, func(text string) bool { return text == "" })
}

var (
	kafkaVersion = regexp.MustCompile(`^\d+(\.\d+){1,3}$`)
	kafkaTopic   = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
)

// Validate checks the rules that span parameters.
func (g *KafkaGroup) Validate() error {
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(g.LagThreshold < 1, "parameter lagThreshold must be at least 1: it bounds the replicas")
	fault(g.AllowIdleConsumers && g.LimitToPartitionsWithLag,
		"parameters allowIdleConsumers and limitToPartitionsWithLag contradict each other: keep one of them")
	fault(g.LimitToPartitionsWithLag && g.EnsureEvenDistribution,
		"parameters limitToPartitionsWithLag and ensureEvenDistributionOfPartitions contradict each other: keep one of them")
	whole := len(g.Topics) == 0
	fault(whole && g.LimitToPartitionsWithLag, "parameter limitToPartitionsWithLag needs parameter topic")
	fault(whole && g.EnsureEvenDistribution, "parameter ensureEvenDistributionOfPartitions needs parameter topic")
	fault(whole && !g.FullMetadata, "parameter fullMetadata is false, which needs parameter topic")
	for _, t := range g.Topics {
		fault(!kafkaTopic.MatchString(t), "parameter topic names %q, and no topic can have that name", t)
	}
	fault(len(g.Group) > math.MaxInt16, "parameter consumerGroup is too long")
	for _, n := range g.Partitions {
		if n < 0 || n > math.MaxInt32 {
			fault(true, "parameter partitionLimitation holds %d, and no partition has that number", n)
			break
		}
	}
	fault(g.Version != "" && !kafkaVersion.MatchString(g.Version),
		"parameter version is %q, which is not a version such as 3.9.0", g.Version)
	return errors.Join(append(faults, g.validate())...)
}

// Source is the cluster.
func (g *KafkaGroup) Source() scalers.Source[*kafkaConn] { return g.source() }

// Stem names the topics or, where the group says which, the group.
func (g *KafkaGroup) Stem() string {
	if len(g.Topics) == 0 {
		return "kafka-" + g.Group + "-topics"
	}
	return "kafka-" + strings.Join(g.Topics, ",")
}

// Read reads the lag of one group.
func (g *KafkaGroup) Read(ctx context.Context, c *kafkaConn) (scalers.Value, error) {
	var out [1]scalers.Result
	if err := readKafka(ctx, c, []*KafkaGroup{g}, out[:]); err != nil {
		return scalers.Value{}, err
	}
	return out[0].Value, out[0].Err
}

// group returns g itself, of every trigger that embeds it.
func (g *KafkaGroup) group() *KafkaGroup { return g }

// value is what the group's places come to. It notes how far the group is.
func (g *KafkaGroup) value(ctx context.Context, places []place) scalers.Value {
	var stuck map[partitionID]bool
	if g.ExcludePersistentLag {
		g.marks, stuck = g.marks.next(places, scalers.Now(ctx), g.PersistentAfter)
	}
	return lagRules{
		target: g.LagThreshold, fromEarliest: g.OffsetResetPolicy == "earliest", zeroOnInvalid: g.ScaleToZeroOnInvalidOffset,
		idleConsumers: g.AllowIdleConsumers, onlyWithLag: g.LimitToPartitionsWithLag, even: g.EnsureEvenDistribution,
	}.value(places, stuck)
}
