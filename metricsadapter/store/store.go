// Package store keeps the last reading of every trigger: written by the engine,
// read by the metrics adapter and the controller.
package store

import (
	"strings"
	"sync"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

// Store holds the slots of all objects. It is safe for concurrent use.
type Store struct {
	changed func(poll.Key)

	mu      sync.RWMutex
	objects map[poll.Key][]*Slot
	metrics map[metricKey]*Slot
}

// metricKey has the kind too: only ScaledObjects have external metrics, and a
// ScaledJob may have the name of one.
type metricKey struct{ kind, namespace, object, metric string }

func newMetricKey(kind, namespace, object, metric string) metricKey {
	return metricKey{kind, namespace, object, strings.ToLower(metric)}
}

// New returns an empty store. changed is called, from whoever writes, with the
// object of a trigger whose activity, error or metrics came or went, or that was
// read for the first time; it must not block.
func New(changed func(poll.Key)) *Store {
	return &Store{changed: changed, objects: map[poll.Key][]*Slot{}, metrics: map[metricKey]*Slot{}}
}

// Set makes triggers those of the object and returns their slots in the same
// order. A trigger that is the same as before keeps its slot and reading.
func (s *Store) Set(key poll.Key, triggers []Trigger) []*Slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := map[Trigger]*Slot{}
	for _, slot := range s.objects[key] {
		old[slot.Trigger] = slot
		delete(s.metrics, slot.metricKey())
	}
	if len(triggers) == 0 {
		delete(s.objects, key)
		return nil
	}
	slots := make([]*Slot, len(triggers))
	for i, t := range triggers {
		slots[i] = old[t]
		if slots[i] == nil {
			slots[i] = &Slot{Trigger: t, key: key, changed: s.changed}
		}
		s.metrics[slots[i].metricKey()] = slots[i]
	}
	s.objects[key] = slots
	return slots
}

// Remove forgets the object.
func (s *Store) Remove(key poll.Key) { s.Set(key, nil) }

// Object returns the slots of the object in the order of its triggers. The
// caller must not change the slice.
func (s *Store) Object(key poll.Key) []*Slot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects[key]
}

// metricKey is what the slot is found by: the metric's name or, of a trigger
// whose source names its metrics, their prefix.
func (s *Slot) metricKey() metricKey {
	if s.Named {
		return newMetricKey(s.key.Kind, s.key.Namespace, s.key.Name, scalers.MetricPrefix(s.Index))
	}
	return newMetricKey(s.key.Kind, s.key.Namespace, s.key.Name, s.Metric)
}

// Find returns the slot that answers for an external metric of a ScaledObject, or
// nil. Case does not matter in the metric's name.
func (s *Store) Find(namespace, object, metric string) *Slot {
	key := newMetricKey(kedav1alpha1.KindScaledObject, namespace, object, metric)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if slot := s.metrics[key]; slot != nil {
		return slot
	}
	prefix, _, _ := strings.Cut(key.metric, "-")
	key.metric = prefix + "-"
	return s.metrics[key]
}

// Slots returns the slots of all objects, in no order.
func (s *Store) Slots() []*Slot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*Slot, 0, len(s.metrics))
	for _, slots := range s.objects {
		all = append(all, slots...)
	}
	return all
}
