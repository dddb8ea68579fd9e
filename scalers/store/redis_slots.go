package store

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-io/freshet/scalers"
)

// slotCount is how many slots the keys of a cluster are spread over.
const slotCount = 16384

// redisSlots is which node serves which slots, sorted. Slots that no node serves
// are in no range.
type redisSlots struct {
	ranges []slotRange
	nodes  map[string]bool
}

type slotRange struct {
	first, last int
	address     string
}

var errBadSlots = scalers.UnavailableError("the server's answer to CLUSTER SLOTS cannot be read")

// newRedisSlots reads the answer to CLUSTER SLOTS of the node at origin: a list
// of first slot, last slot, and nodes, of which the first is the primary.
func newRedisSlots(answer any, origin string) (*redisSlots, error) {
	list, ok := answer.([]any)
	if !ok {
		return nil, errBadSlots
	}
	s := &redisSlots{nodes: map[string]bool{}}
	for _, entry := range list {
		r, err := newSlotRange(entry, origin)
		if err != nil {
			return nil, err
		}
		s.ranges = append(s.ranges, r)
		s.nodes[r.address] = true
	}
	slices.SortFunc(s.ranges, func(a, b slotRange) int { return cmp.Compare(a.first, b.first) })
	return s, nil
}

func newSlotRange(entry any, origin string) (slotRange, error) {
	parts, _ := entry.([]any)
	if len(parts) < 3 {
		return slotRange{}, errBadSlots
	}
	first, ok1 := parts[0].(int64)
	last, ok2 := parts[1].(int64)
	node, _ := parts[2].([]any)
	if !ok1 || !ok2 || first < 0 || last < first || last >= slotCount || len(node) < 2 {
		return slotRange{}, errBadSlots
	}
	port, ok := node[1].(int64)
	host, named := node[0].(string)
	if !ok || port < 0 || port > 65535 || (!named && node[0] != nil) {
		return slotRange{}, errBadSlots
	}
	return slotRange{int(first), int(last), reachable(host, int(port), origin)}, nil
}

// reachable is the address of a node as it is seen from where origin is reached.
// A node that does not know its own name or port has those of the origin, and
// one that calls itself by a loopback address is on the origin's host.
func reachable(host string, port int, origin string) string {
	originHost, originPort, err := net.SplitHostPort(origin)
	if err != nil {
		return net.JoinHostPort(host, strconv.Itoa(port))
	}
	if ip := net.ParseIP(host); host == "" || ip.IsLoopback() && !isLoopback(originHost) {
		host = originHost
	}
	if port == 0 {
		return net.JoinHostPort(host, originPort)
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// has tells whether the node at the address serves a slot.
func (s *redisSlots) has(address string) bool { return s.nodes[address] }

// route makes a batch for each node. A query whose slot no node serves has an
// error and is in none.
func (s *redisSlots) route(queries []*redisQuery) []redisBatch {
	if s == nil {
		return nil
	}
	places := map[string]int{}
	var batches []redisBatch
	for _, q := range queries {
		slot := slotOf(q.key)
		address, ok := s.node(slot)
		if !ok {
			q.SetErr(scalers.UnavailableError("no node of the cluster serves slot %d, which key %q is in", slot, q.key))
			continue
		}
		place, ok := places[address]
		if !ok {
			place = len(batches)
			places[address] = place
			batches = append(batches, redisBatch{redisHop: redisHop{address: address}})
		}
		batches[place].queries = append(batches[place].queries, q)
	}
	return batches
}

// node is the address of the node that serves the slot.
func (s *redisSlots) node(slot int) (address string, ok bool) {
	i, _ := slices.BinarySearchFunc(s.ranges, slot, func(r slotRange, slot int) int { return cmp.Compare(r.last, slot) })
	if i == len(s.ranges) || slot < s.ranges[i].first {
		return "", false
	}
	return s.ranges[i].address, true
}

// slotOf is the slot of a key: of what its first braces hold, if they hold
// anything, so that keys can be kept together.
func slotOf(key string) int {
	if _, after, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(after, "}"); ok && tag != "" {
			key = tag
		}
	}
	var crc uint16 // CRC-16/XMODEM
	for i := range len(key) {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^key[i]]
	}
	return int(crc % slotCount)
}

var crcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			if crc <<= 1; carry {
				crc ^= 0x1021
			}
		}
		table[i] = crc
	}
	return table
}()
