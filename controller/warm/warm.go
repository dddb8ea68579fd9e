// Package warm tells whether a controller has looked at every object that exists.
package warm

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Set has the objects that were looked at since [Set.Begin]. It is safe for concurrent
// use. Before Begin nothing is waited for.
type Set struct {
	mu   sync.Mutex
	seen map[client.ObjectKey]bool
}

// Begin begins to wait for every object.
func (s *Set) Begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = map[client.ObjectKey]bool{}
}

// Mark takes in that an object was looked at.
func (s *Set) Mark(name client.ObjectKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen != nil {
		s.seen[name] = true
	}
}

// Check returns nil once every object that a list of that kind finds was looked at, and
// from then on. The error says how far that is.
func (s *Set) Check(ctx context.Context, reader client.Reader, list client.ObjectList, kind string) error {
	s.mu.Lock()
	done := s.seen == nil
	s.mu.Unlock()
	if done {
		return nil
	}
	if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing %ss: %w", kind, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var behind error
	err := meta.EachListItem(list, func(item runtime.Object) error {
		if obj, ok := item.(client.Object); ok && !s.seen[client.ObjectKeyFromObject(obj)] {
			behind = fmt.Errorf("%d of %d %ss are known so far", len(s.seen), meta.LenList(list), kind)
		}
		return behind
	})
	switch {
	case behind != nil:
		return behind
	case err != nil:
		return fmt.Errorf("going through %ss: %w", kind, err)
	}
	s.seen = nil
	return nil
}
