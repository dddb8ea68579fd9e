package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

// kafkaConn is the connection to a cluster: one to each broker that is needed,
// however many triggers there are. It is safe for concurrent use.
type kafkaConn struct {
	dialer *kafkaDialer
	// bootstrap are the addresses to begin with.
	bootstrap []string

	mu     sync.Mutex
	closed bool
	nodes  map[string]*kafkaNode
	// last is the address that answered last what any broker may be asked.
	last string
	// coordinators are the addresses of the brokers that keep the offsets of groups.
	coordinators map[string]string
}

// kafkaNode is a broker at an address. turn is full while somebody speaks to it.
type kafkaNode struct {
	address string
	turn    chan struct{}
	link    *link // nil when there is none
}

func newKafkaConn(bootstrap []string, d *kafkaDialer) *kafkaConn {
	return &kafkaConn{dialer: d, bootstrap: bootstrap, nodes: map[string]*kafkaNode{}, coordinators: map[string]string{}}
}

// Close closes the connections.
func (c *kafkaConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, n := range c.nodes {
		select {
		case n.turn <- struct{}{}:
			n.hangUp()
			<-n.turn
		default: // whoever speaks hangs up
		}
	}
	return nil
}

func (n *kafkaNode) hangUp() {
	if n.link != nil {
		n.link.close()
		n.link = nil
	}
}

// node returns the broker at the address.
func (c *kafkaConn) node(address string) *kafkaNode {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[address]
	if n == nil {
		n = &kafkaNode{address: address, turn: make(chan struct{}, 1)}
		c.nodes[address] = n
	}
	return n
}

// has tells whether the broker is still ours: not closed and not let go of.
func (c *kafkaConn) has(n *kafkaNode) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closed && c.nodes[n.address] == n
}

// call asks the broker at the address. A connection that the broker closed while
// it was idle is replaced.
func (c *kafkaConn) call(ctx context.Context, address string, calls ...call) error {
	n := c.node(address)
	select {
	case n.turn <- struct{}{}:
	case <-ctx.Done():
		return linkError(address, false, ctx.Err())
	}
	defer func() {
		if !c.has(n) { // nobody else would hang up
			n.hangUp()
		}
		<-n.turn
	}()
	for {
		fresh := n.link == nil
		if fresh {
			var err error
			if n.link, err = c.dialer.dial(ctx, address); err != nil {
				return linkError(address, c.dialer.bare(), err)
			}
		}
		answered, err := n.link.exchange(ctx, calls...)
		if err == nil {
			return nil
		}
		n.hangUp()
		if fresh || answered || !hungUp(err) {
			return linkError(address, fresh && c.dialer.bare(), err)
		}
	}
}

// bare tells that connections have neither TLS nor SASL.
func (d *kafkaDialer) bare() bool { return d.tls == nil && d.sasl == nil }

// ask asks any broker: that which answered last or, when it does not, one of
// those to begin with or that are known. Each but the last is given half the time
// that is left.
func (c *kafkaConn) ask(ctx context.Context, calls ...call) error {
	var faults []error
	candidates := c.candidates()
	for i, address := range candidates {
		err := c.try(ctx, i == len(candidates)-1, address, calls)
		if err == nil {
			c.mu.Lock()
			c.last = address
			c.mu.Unlock()
			return nil
		}
		faults = append(faults, err)
		if scalers.ClassOf(err) != scalers.Unavailable || ctx.Err() != nil {
			return err // the others would say the same
		}
	}
	if len(faults) == 1 {
		return faults[0]
	}
	return scalers.UnavailableError("none of %d brokers answers: %w", len(faults), joined(faults))
}

// candidates are the addresses of brokers, those first that are likely to answer.
func (c *kafkaConn) candidates() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, address := range slices.Concat([]string{c.last}, c.bootstrap, slices.Sorted(maps.Keys(c.nodes))) {
		if address != "" && !slices.Contains(all, address) {
			all = append(all, address)
		}
	}
	return all
}

// try asks one of several brokers, or the last of them.
func (c *kafkaConn) try(ctx context.Context, last bool, address string, calls []call) error {
	if deadline, ok := ctx.Deadline(); ok && !last {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	return c.call(ctx, address, calls...)
}

// joined joins errors on one line, three of them at most.
func joined(faults []error) error {
	err := faults[0]
	for _, more := range faults[1:min(3, len(faults))] {
		err = fmt.Errorf("%w; %w", err, more)
	}
	return err
}

// keep lets go of brokers that are neither at the addresses nor among those to
// begin with.
func (c *kafkaConn) keep(addresses map[int32]string) {
	wanted := map[string]bool{}
	for _, address := range addresses {
		wanted[address] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for address, n := range c.nodes {
		if wanted[address] || slices.Contains(c.bootstrap, address) {
			continue
		}
		select {
		case n.turn <- struct{}{}:
			n.hangUp()
			delete(c.nodes, address)
			<-n.turn
		default: // somebody speaks to it: the next time, then
		}
	}
}

// parallel calls do for 0 to n-1 at the same time, as many at once as is
// reasonable, and returns when all are done. A panic of do is one of parallel.
func parallel(n int, do func(i int)) {
	const most = 64
	var wg sync.WaitGroup
	panics := make(chan any, n)
	turns := make(chan struct{}, most)
	for i := range n {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics <- p
				}
				<-turns
			}()
			do(i)
		})
	}
	wg.Wait()
	select {
	case p := <-panics:
		panic(p)
	default:
	}
}
