package stream

import (
	"context"

	"github.com/freshet-io/freshet/scalers"
)

// seenGroup is what the last full read of a group found.
type seenGroup struct {
	places []place
	value  scalers.Value
}

// glance tells which of the triggers have the value that they had, in a read that is
// a glance: those whose partitions have no message more. A lag grows by messages,
// or by offsets that somebody sets back, which a full read finds. It asks for the
// topics and the ends of their partitions, however many groups there are; what it
// does not learn is left to the full read.
func (r *kafkaRound) glance(ctx context.Context, triggers []*KafkaGroup) (still []bool) {
	still = make([]bool, len(triggers))
	if !scalers.IsGlance(ctx) {
		return still
	}
	needed, names := map[partitionID]bool{}, []string{}
	topics := map[string]bool{}
	for _, g := range triggers {
		for _, p := range g.glances() {
			needed[p.partitionID] = true
			if !topics[p.topic] {
				topics[p.topic] = true
				names = append(names, p.topic)
			}
		}
	}
	if len(needed) == 0 {
		return still
	}
	views, err := r.conn.describe(ctx, names)
	if err != nil {
		return still
	}
	leaders := map[string][]partitionID{}
	for p := range needed {
		if leader, ok := views[p.topic].partitions[p.index]; ok && leader.err == nil {
			leaders[leader.address] = append(leaders[leader.address], p)
		}
	}
	ends := r.conn.bound(ctx, leaders)
	for i, g := range triggers {
		still[i] = g.sameAs(views, ends)
	}
	return still
}

// glances are the places of a group that a glance may be enough for. How long a lag
// has lasted takes a full read.
func (g *KafkaGroup) glances() []place {
	if g.seen == nil || g.ExcludePersistentLag {
		return nil
	}
	return g.seen.places
}

// sameAs tells whether the group's partitions are those that were seen, and end
// where they did.
func (g *KafkaGroup) sameAs(views map[string]topicView, ends map[partitionID]bounds) bool {
	places := g.glances()
	counted := map[string]int{}
	for _, p := range places {
		b, ok := ends[p.partitionID]
		if !ok || b.err != nil || b.end != p.end {
			return false
		}
		counted[p.topic]++
	}
	for topic, n := range counted {
		for index := range views[topic].partitions {
			if g.counts(index) {
				n--
			}
		}
		if n != 0 {
			return false
		}
	}
	return len(places) > 0
}
