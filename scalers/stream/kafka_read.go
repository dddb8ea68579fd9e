package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/freshet-io/freshet/scalers"
)

// grouped is a trigger that reads a consumer group.
type grouped interface{ group() *KafkaGroup }

// readKafka reads the lags of groups of one cluster together: one request for
// all topics, one for the offsets of each group, and two for those of the
// partitions of each broker. A glance asks for no offsets of groups whose topics
// got no messages.
func readKafka[T grouped](ctx context.Context, c *kafkaConn, triggers []T, out []scalers.Result) error {
	r := newKafkaRound(c)
	var places []int // of what is read, among the triggers
	still := r.glance(ctx, triggersOf(triggers))
	for i, t := range triggers {
		if still[i] {
			out[i].Value = t.group().seen.value
			continue
		}
		r.add(t.group())
		places = append(places, i)
	}
	if len(places) == 0 {
		return nil
	}
	if err := r.read(ctx); err != nil {
		return err
	}
	for n, i := range places {
		out[i].Value, out[i].Err = r.value(ctx, n)
	}
	return nil
}

func triggersOf[T grouped](triggers []T) []*KafkaGroup {
	all := make([]*KafkaGroup, len(triggers))
	for i, t := range triggers {
		all[i] = t.group()
	}
	return all
}

func newKafkaRound(c *kafkaConn) *kafkaRound {
	return &kafkaRound{conn: c, groups: map[string]*groupRead{}, topics: map[string]topicView{}}
}

// value is what a trigger of the round comes to.
func (r *kafkaRound) value(ctx context.Context, trigger int) (scalers.Value, error) {
	g := r.triggers[trigger]
	places, err := r.places(trigger)
	if err != nil {
		return scalers.Value{}, fmt.Errorf("reading the lag of group %q: %w", g.Group, err)
	}
	v := g.value(ctx, places)
	g.seen = &seenGroup{places: places, value: v}
	return v, nil
}

// kafkaRound is one read of many triggers.
type kafkaRound struct {
	conn     *kafkaConn
	triggers []*KafkaGroup
	groups   map[string]*groupRead
	topics   map[string]topicView
	// needs are the partitions of each trigger.
	needs  []need
	bounds map[partitionID]bounds
}

// need is the partitions of a trigger, or why they are not known.
type need struct {
	partitions []partitionID
	err        error
}

// groupRead is what is asked of a group, and the answer.
type groupRead struct {
	committed
	// all asks for every partition in which it committed; else only named ones
	// are asked for.
	all   bool
	named map[partitionID]bool
}

func (r *kafkaRound) add(g *KafkaGroup) {
	r.triggers = append(r.triggers, g)
	if r.groups[g.Group] == nil {
		r.groups[g.Group] = &groupRead{named: map[partitionID]bool{}}
	}
	if len(g.Topics) == 0 {
		r.groups[g.Group].all = true
	}
}

// read asks for everything that the triggers need. The error concerns all of them.
func (r *kafkaRound) read(ctx context.Context) error {
	// Groups whose topics are not given tell them by what they have committed.
	if err := r.fetch(ctx, r.groupsWhere(func(g *groupRead) bool { return g.all })); err != nil {
		return err
	}
	topics := map[string]bool{}
	for _, g := range r.triggers {
		for _, t := range r.topicsOf(g) {
			topics[t] = true
		}
	}
	var err error
	if len(topics) > 0 { // else no group could be read, or none has committed anything
		if r.topics, err = r.conn.describe(ctx, slices.Sorted(maps.Keys(topics))); err != nil {
			return fmt.Errorf("asking for topics: %w", err)
		}
	}
	leaders := r.plan()
	named := r.groupsWhere(func(g *groupRead) bool { return !g.all && len(g.named) > 0 })
	parallel(2, func(i int) {
		if i == 0 {
			err = r.fetch(ctx, named)
		} else {
			r.bounds = r.conn.bound(ctx, leaders)
		}
	})
	return err
}

// groupsWhere are the groups of which is holds.
func (r *kafkaRound) groupsWhere(is func(*groupRead) bool) []string {
	var names []string
	for name, g := range r.groups {
		if is(g) {
			names = append(names, name)
		}
	}
	return names
}

// topicsOf are the topics of a trigger: its own, or those of its group.
func (r *kafkaRound) topicsOf(g *KafkaGroup) []string {
	if len(g.Topics) > 0 {
		return g.Topics
	}
	topics := map[string]bool{}
	if group := r.groups[g.Group]; group.err == nil {
		for p := range group.offsets {
			topics[p.topic] = true
		}
		for p := range group.errs {
			topics[p.topic] = true
		}
	}
	return slices.Sorted(maps.Keys(topics))
}

// plan notes which partitions each trigger and group needs, and returns those of
// each leader.
func (r *kafkaRound) plan() map[string][]partitionID {
	needed := map[partitionID]string{}
	for _, g := range r.triggers {
		var n need
		n.partitions, n.err = r.partitions(g)
		r.needs = append(r.needs, n)
		for _, p := range n.partitions {
			r.groups[g.Group].named[p] = true
			needed[p] = r.topics[p.topic].partitions[p.index].address
		}
	}
	leaders := map[string][]partitionID{}
	for p, address := range needed {
		leaders[address] = append(leaders[address], p)
	}
	return leaders
}

// partitions are those of a trigger, all of which have a leader, in order.
func (r *kafkaRound) partitions(g *KafkaGroup) ([]partitionID, error) {
	if err := r.groups[g.Group].err; err != nil {
		return nil, err
	}
	topics := r.topicsOf(g)
	if len(topics) == 0 {
		return nil, scalers.ConfigurationError("the group has committed no offset, so that its topics are not known: set parameter topic")
	}
	found := map[partitionID]bool{}
	for _, t := range topics {
		view := r.topics[t]
		if view.err != nil {
			return nil, view.err
		}
		for _, index := range slices.Sorted(maps.Keys(view.partitions)) {
			if !g.counts(index) {
				continue
			}
			if err := view.partitions[index].err; err != nil {
				return nil, err
			}
			found[partitionID{t, index}] = true
		}
	}
	if len(found) == 0 {
		return nil, scalers.ConfigurationError("parameter partitionLimitation names no partition that there is")
	}
	return slices.SortedFunc(maps.Keys(found), partitionID.compare), nil
}

// counts tells whether a partition of that number counts.
func (g *KafkaGroup) counts(index int32) bool {
	return len(g.Topics) == 0 || len(g.Partitions) == 0 || slices.Contains(g.Partitions, int64(index))
}

// places are where the group of a trigger is in each of its partitions.
func (r *kafkaRound) places(trigger int) ([]place, error) {
	n := r.needs[trigger]
	if n.err != nil {
		return nil, n.err
	}
	group := r.groups[r.triggers[trigger].Group]
	places := make([]place, len(n.partitions))
	for i, p := range n.partitions {
		b, ok := r.bounds[p]
		switch {
		case !ok:
			return nil, scalers.UnavailableError("nothing is known of %s", p)
		case b.err != nil:
			return nil, b.err
		}
		offset, err := group.at(p, !group.all)
		if err != nil {
			return nil, err
		}
		places[i] = place{partitionID: p, start: b.start, end: b.end, committed: offset}
	}
	return places, nil
}
