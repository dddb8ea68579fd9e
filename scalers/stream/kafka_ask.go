package stream

import (
	"cmp"
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/findcoordinator"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// topicView is what a cluster says of a topic: an error, or its partitions.
type topicView struct {
	err        error
	partitions map[int32]leader
}

// leader is the address of the broker that keeps the end of a partition, or why
// there is none.
type leader struct {
	address string
	err     error
}

// describe asks for topics. The error concerns all of them.
func (c *kafkaConn) describe(ctx context.Context, topics []string) (map[string]topicView, error) {
	var reply metadata.Response
	if err := c.ask(ctx, call{&metadata.Request{TopicNames: topics}, &reply}); err != nil {
		return nil, err
	}
	addresses := make(map[int32]string, len(reply.Brokers))
	for _, b := range reply.Brokers {
		addresses[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	c.keep(addresses)
	views := make(map[string]topicView, len(topics))
	for _, name := range topics {
		views[name] = topicView{err: scalers.UnavailableError("the cluster says nothing of topic %q", name)}
	}
	for _, t := range reply.Topics {
		if _, asked := views[t.Name]; asked {
			views[t.Name] = newTopicView(t, addresses)
		}
	}
	return views, nil
}

func newTopicView(t metadata.ResponseTopic, addresses map[int32]string) topicView {
	what := topicName(t.Name)
	if kafka.Error(t.ErrorCode) == kafka.UnknownTopicOrPartition {
		return topicView{err: scalers.ConfigurationError("%s does not exist: create it, or correct parameter topic", what)}
	}
	if err := kafkaError(t.ErrorCode, what); err != nil {
		return topicView{err: err}
	}
	if len(t.Partitions) == 0 {
		return topicView{err: scalers.UnavailableError("%s has no partition", what)}
	}
	view := topicView{partitions: make(map[int32]leader, len(t.Partitions))}
	for _, p := range t.Partitions {
		l := leader{address: addresses[p.LeaderID]}
		what := partitionID{t.Name, p.PartitionIndex}.String()
		// A replica that is gone is no fault of the leader.
		if code := kafka.Error(p.ErrorCode); code != kafka.ReplicaNotAvailable {
			l.err = kafkaError(p.ErrorCode, what)
		}
		if l.err == nil && l.address == "" {
			l.err = scalers.UnavailableError("%s has no leader", what)
		}
		view.partitions[p.PartitionIndex] = l
	}
	return view
}

// compare orders partitions by topic and number.
func (p partitionID) compare(q partitionID) int {
	return cmp.Or(strings.Compare(p.topic, q.topic), cmp.Compare(p.index, q.index))
}

// topicName names a topic, which a broker may have told us of.
func topicName(name string) string { return "topic " + strconv.Quote(conn.Quote(name)) }

// String names the partition.
func (p partitionID) String() string {
	return "partition " + strconv.Itoa(int(p.index)) + " of " + topicName(p.topic)
}

// bounds are the offsets between which a partition has messages, or why they are
// not known.
type bounds struct {
	start, end int64
	err        error
}

// Moments that offsets are asked for.
const (
	atEnd   = -1
	atStart = -2
)

// bound asks every leader for the bounds of its partitions.
func (c *kafkaConn) bound(ctx context.Context, leaders map[string][]partitionID) map[partitionID]bounds {
	addresses := slices.Sorted(maps.Keys(leaders))
	answers := make([]map[partitionID]bounds, len(addresses))
	parallel(len(addresses), func(i int) {
		answers[i] = c.boundAt(ctx, addresses[i], leaders[addresses[i]])
	})
	all := map[partitionID]bounds{}
	for _, a := range answers {
		maps.Copy(all, a)
	}
	return all
}

// boundAt asks one leader. A request may name a partition once, so that the two
// bounds take two requests.
func (c *kafkaConn) boundAt(ctx context.Context, address string, partitions []partitionID) map[partitionID]bounds {
	var ends, starts listoffsets.Response
	err := c.call(ctx, address, call{offsetsRequest(partitions, atEnd), &ends}, call{offsetsRequest(partitions, atStart), &starts})
	answers := make(map[partitionID]bounds, len(partitions))
	if err != nil {
		for _, p := range partitions {
			answers[p] = bounds{err: err}
		}
		return answers
	}
	end, start := offsetsOf(&ends), offsetsOf(&starts)
	for _, p := range partitions {
		b := bounds{}
		if b.end, b.err = end(p); b.err == nil {
			b.start, b.err = start(p)
		}
		answers[p] = b
	}
	return answers
}

func offsetsRequest(partitions []partitionID, moment int64) *listoffsets.Request {
	r := &listoffsets.Request{ReplicaID: -1}
	for topic, indexes := range byTopic(partitions) {
		t := listoffsets.RequestTopic{Topic: topic}
		for _, index := range indexes {
			t.Partitions = append(t.Partitions, listoffsets.RequestPartition{Partition: index, CurrentLeaderEpoch: -1, Timestamp: moment})
		}
		r.Topics = append(r.Topics, t)
	}
	return r
}

// offsetsOf finds the offset of a partition in a reply.
func offsetsOf(reply *listoffsets.Response) func(partitionID) (int64, error) {
	found := map[partitionID]listoffsets.ResponsePartition{}
	for _, t := range reply.Topics {
		for _, p := range t.Partitions {
			found[partitionID{t.Topic, p.Partition}] = p
		}
	}
	return func(id partitionID) (int64, error) {
		p, ok := found[id]
		switch {
		case !ok:
			return 0, scalers.UnavailableError("the broker says nothing of %s", id)
		case p.ErrorCode != 0:
			return 0, kafkaError(p.ErrorCode, id.String())
		case p.Offset < 0:
			return 0, scalers.UnavailableError("the broker knows no offset of %s", id)
		}
		return p.Offset, nil
	}
}

// findCoordinators asks which brokers keep the offsets of groups, and notes it.
// errs are those of groups; the last error concerns all of them.
func (c *kafkaConn) findCoordinators(ctx context.Context, groups []string) (found map[string]string, errs map[string]error, err error) {
	calls := make([]call, len(groups))
	replies := make([]findcoordinator.Response, len(groups))
	for i, group := range groups {
		calls[i] = call{&findcoordinator.Request{Key: group}, &replies[i]}
	}
	if err := c.ask(ctx, calls...); err != nil {
		return nil, nil, err
	}
	found, errs = map[string]string{}, map[string]error{}
	for i, group := range groups {
		r := &replies[i]
		if err := kafkaError(r.ErrorCode, "finding the coordinator"); err != nil {
			errs[group] = err
			continue
		}
		found[group] = net.JoinHostPort(r.Host, strconv.Itoa(int(r.Port)))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(c.coordinators, found)
	return found, errs, nil
}

// coordinatorsOf are those that are known.
func (c *kafkaConn) coordinatorsOf(groups []string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := map[string]string{}
	for _, g := range groups {
		if address := c.coordinators[g]; address != "" {
			known[g] = address
		}
	}
	return known
}

// forget lets the coordinators of groups be looked for again.
func (c *kafkaConn) forget(groups []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range groups {
		delete(c.coordinators, g)
	}
}
