package stream

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"

	"github.com/freshet-io/freshet/scalers"
)

// committed is what a group has committed, or why that is not known.
type committed struct {
	offsets map[partitionID]int64
	errs    map[partitionID]error
	err     error
	// moved tells that another broker may be the coordinator by now.
	moved bool
}

// at is the offset that the group committed in the partition; -1 is none. Of a
// partition that was asked for by name the broker says so itself.
func (g *committed) at(p partitionID, named bool) (int64, error) {
	if g.err != nil {
		return 0, g.err
	}
	if err := g.errs[p]; err != nil {
		return 0, err
	}
	offset, ok := g.offsets[p]
	switch {
	case !ok && named:
		return 0, scalers.UnavailableError("the coordinator says nothing of %s", p)
	case !ok:
		return -1, nil
	case offset < -1:
		return 0, scalers.UnavailableError("the coordinator tells offset %d of %s", offset, p)
	}
	return offset, nil
}

func newCommitted(reply *offsetfetch.Response) committed {
	g := committed{offsets: map[partitionID]int64{}, errs: map[partitionID]error{}}
	if g.err = kafkaError(reply.ErrorCode, "the group"); g.err != nil {
		g.moved = kafka.Error(reply.ErrorCode) == kafka.NotCoordinatorForGroup
		return g
	}
	for _, t := range reply.Topics {
		for _, p := range t.Partitions {
			id := partitionID{t.Name, p.PartitionIndex}
			if err := kafkaError(p.ErrorCode, id.String()); err != nil {
				g.errs[id] = err
				continue
			}
			g.offsets[id] = p.CommittedOffset
		}
	}
	return g
}

// fetch asks the coordinators of groups what these have committed. The error
// concerns all triggers. A coordinator that is known from an earlier read may
// have moved: then it is looked for once more.
func (r *kafkaRound) fetch(ctx context.Context, groups []string) error {
	known := r.conn.coordinatorsOf(groups)
	moved := r.fetchAt(ctx, known)
	r.conn.forget(moved)
	missing := slices.DeleteFunc(groups, func(g string) bool { return known[g] != "" && !slices.Contains(moved, g) })
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	found, errs, err := r.conn.findCoordinators(ctx, missing)
	if err != nil && len(known) == 0 {
		return fmt.Errorf("looking for the coordinators of groups: %w", err)
	}
	for _, g := range missing {
		switch group := r.groups[g]; {
		case err != nil:
			group.err = cmp.Or(group.err, err)
		case errs[g] != nil:
			group.err = errs[g]
		}
	}
	r.conn.forget(r.fetchAt(ctx, found))
	return nil
}

// fetchAt asks coordinators what groups have committed, and returns the groups
// that must be looked for elsewhere.
func (r *kafkaRound) fetchAt(ctx context.Context, coordinators map[string]string) (moved []string) {
	groups := map[string][]string{}
	for _, group := range slices.Sorted(maps.Keys(coordinators)) {
		groups[coordinators[group]] = append(groups[coordinators[group]], group)
	}
	addresses := slices.Sorted(maps.Keys(groups))
	parallel(len(addresses), func(i int) { r.fetchFrom(ctx, addresses[i], groups[addresses[i]]) })
	for group := range coordinators {
		if r.groups[group].moved {
			moved = append(moved, group)
		}
	}
	return moved
}

// fetchFrom asks one coordinator.
func (r *kafkaRound) fetchFrom(ctx context.Context, address string, groups []string) {
	calls := make([]call, len(groups))
	replies := make([]offsetfetch.Response, len(groups))
	for i, name := range groups {
		request := &offsetfetch.Request{GroupID: name}
		if g := r.groups[name]; !g.all {
			request.Topics = offsetTopics(g.named)
		}
		calls[i] = call{request, &replies[i]}
	}
	err := r.conn.call(ctx, address, calls...)
	for i, name := range groups {
		if err != nil {
			r.groups[name].committed = committed{err: err, moved: scalers.ClassOf(err) == scalers.Unavailable}
		} else {
			r.groups[name].committed = newCommitted(&replies[i])
		}
	}
}

// offsetTopics are partitions as a request names them.
func offsetTopics(named map[partitionID]bool) []offsetfetch.RequestTopic {
	var topics []offsetfetch.RequestTopic
	for topic, indexes := range byTopic(slices.Collect(maps.Keys(named))) {
		topics = append(topics, offsetfetch.RequestTopic{Name: topic, PartitionIndexes: indexes})
	}
	return topics
}

// byTopic are the numbers of partitions, sorted, by their topics.
func byTopic(partitions []partitionID) map[string][]int32 {
	topics := map[string][]int32{}
	for _, p := range partitions {
		topics[p.topic] = append(topics[p.topic], p.index)
	}
	for _, indexes := range topics {
		slices.Sort(indexes)
	}
	return topics
}
