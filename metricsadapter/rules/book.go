package rules

import (
	"maps"
	"sync"

	"github.com/freshet-io/freshet/scalers/poll"
)

// Book has the rules of all objects that have any: written by the controller, read
// by the metrics adapter. It is safe for concurrent use. Its zero value is empty.
type Book struct {
	mu      sync.RWMutex
	objects map[poll.Key]*Rules
}

// Set gives an object its rules; nil takes them away.
func (b *Book) Set(key poll.Key, r *Rules) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r == nil {
		delete(b.objects, key)
		return
	}
	if b.objects == nil {
		b.objects = map[poll.Key]*Rules{}
	}
	b.objects[key] = r
}

// Of are the rules of an object, or nil. A nil book has none.
func (b *Book) Of(key poll.Key) *Rules {
	if b == nil {
		return nil
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.objects[key]
}

// All are the rules of all objects, as they are now.
func (b *Book) All() map[poll.Key]*Rules {
	if b == nil {
		return nil
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return maps.Clone(b.objects)
}
