package poll

import "sync/atomic"

// Key names an object whose triggers are polled.
type Key struct {
	// Kind is the object's kind, such as ScaledObject.
	Kind string
	// Namespace and Name are the object's.
	Namespace, Name string
}

// String is "kind/namespace/name".
func (k Key) String() string { return k.Kind + "/" + k.Namespace + "/" + k.Name }

// Ownership divides objects among the replicas of Freshet. The owner of an
// object polls it on schedule, decides and writes; any replica answers for it.
type Ownership interface {
	// Owner returns the identity of the replica that owns key, or "" while
	// there is none.
	Owner(key Key) string
	// Self returns the identity of this replica.
	Self() string
}

// Owns tells whether this replica owns key.
func Owns(o Ownership, key Key) bool { return o.Owner(key) == o.Self() }

// Leader is the Ownership in which one replica, the leader, owns every object.
type Leader struct {
	self    string
	elected atomic.Bool
}

// NewLeader returns an Ownership without a leader. The replica becomes the
// owner of everything with [Leader.Elect].
func NewLeader(self string) *Leader { return &Leader{self: self} }

// Elect makes this replica the leader. A replica that loses its lease ends its
// process, so there is no way back.
func (l *Leader) Elect() { l.elected.Store(true) }

// Owner returns this replica once it is elected.
func (l *Leader) Owner(Key) string {
	if l.elected.Load() {
		return l.self
	}
	return ""
}

// Self returns this replica's identity.
func (l *Leader) Self() string { return l.self }
