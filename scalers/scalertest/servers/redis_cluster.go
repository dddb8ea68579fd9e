package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// RedisClusterOptions say how a cluster is to run. The zero value is three open
// primaries without replicas.
type RedisClusterOptions struct {
	// Dir is where the nodes keep their files; "" is a folder of its own that goes
	// with the cluster.
	Dir string
	// Primaries is how many nodes serve slots. Default 3.
	Primaries int
	// Replicas is how many replicas each primary has.
	Replicas int
	// Password of the user default, ACL and TLS are those of each node.
	Password string
	ACL      []string
	TLS      *TLSFiles
	// Whole has no node answer while a slot is not served, as is Redis' default.
	Whole bool
}

// RedisCluster is a Redis Cluster whose nodes keep no data on disk.
type RedisCluster struct {
	options RedisClusterOptions
	ownDir  bool
	// Nodes are the primaries, in the order of their slots, and then the replicas.
	Nodes []*Redis
	buses []string
}

// clusterSlots is how many slots a cluster has.
const clusterSlots = 16384

// StartRedisCluster starts a cluster and returns when all nodes say that it
// works. Slots are spread evenly.
func StartRedisCluster(ctx context.Context, o RedisClusterOptions) (*RedisCluster, error) {
	if o.Primaries == 0 {
		o.Primaries = 3
	}
	c := &RedisCluster{options: o}
	var err error
	if o.Dir == "" {
		c.ownDir = true
		if c.options.Dir, err = os.MkdirTemp("", "redis-cluster"); err != nil {
			return nil, fmt.Errorf("making the cluster's folder: %w", err)
		}
	}
	if err = c.start(ctx); err == nil {
		err = c.join(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// start starts the nodes, which do not know each other yet.
func (c *RedisCluster) start(ctx context.Context) error {
	for len(c.Nodes) < c.options.Primaries*(1+c.options.Replicas) {
		var err error
		for range 3 { // another process may take the port that was free
			if err = c.startNode(ctx); err == nil || !strings.Contains(err.Error(), "already in use") {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("starting node %d: %w", len(c.Nodes), err)
		}
	}
	return nil
}

func (c *RedisCluster) startNode(ctx context.Context) error {
	o := c.options
	coverage := "no"
	if o.Whole {
		coverage = "yes"
	}
	bus, err := freePort()
	if err != nil {
		return err
	}
	lines := []string{
		"cluster-enabled yes", "cluster-port " + strconv.Itoa(bus), "cluster-node-timeout 1000",
		"cluster-replica-validity-factor 0", "cluster-require-full-coverage " + coverage, "repl-diskless-sync-delay 0",
	}
	if o.Password != "" {
		lines = append(lines, "masterauth "+strconv.Quote(o.Password))
	}
	if o.TLS != nil {
		lines = append(lines, "tls-replication yes", "tls-cluster yes")
	}
	node, err := StartRedis(ctx, RedisOptions{
		Dir: filepath.Join(o.Dir, strconv.Itoa(len(c.Nodes))), Password: o.Password, ACL: o.ACL, TLS: o.TLS, Lines: lines,
	})
	if err != nil {
		return err
	}
	c.Nodes, c.buses = append(c.Nodes, node), append(c.buses, strconv.Itoa(bus))
	return nil
}

// join makes a cluster of the nodes.
func (c *RedisCluster) join(ctx context.Context) error {
	n := c.options.Primaries
	for i, node := range c.Nodes {
		commands := [][]any{{"CLUSTER", "SET-CONFIG-EPOCH", i + 1}}
		if i < n {
			commands = append(commands, []any{"CLUSTER", "ADDSLOTSRANGE", clusterSlots * i / n, clusterSlots*(i+1)/n - 1})
		}
		if i > 0 {
			first := strconv.Itoa(c.Nodes[0].options.Port)
			commands = append(commands, []any{"CLUSTER", "MEET", "127.0.0.1", first, c.buses[0]})
		}
		for _, command := range commands {
			if err := node.Client().Do(ctx, command...).Err(); err != nil {
				return fmt.Errorf("%v at node %d: %w", command, i, err)
			}
		}
	}
	if err := c.wait(ctx, "nodes to know each other", func(info string) bool {
		return strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", len(c.Nodes)))
	}); err != nil {
		return err
	}
	for i, node := range c.Nodes[n:] {
		id, err := c.Nodes[i%n].Client().ClusterMyID(ctx).Result()
		if err != nil {
			return fmt.Errorf("asking for the name of node %d: %w", i%n, err)
		}
		if err := c.replicate(ctx, node, id); err != nil {
			return err
		}
	}
	return c.Settle(ctx)
}

// replicate makes the node a replica, once it knows its primary.
func (c *RedisCluster) replicate(ctx context.Context, node *Redis, id string) error {
	return until(ctx, "a replica to follow", func() error { return node.Client().ClusterReplicate(ctx, id).Err() })
}

// Settle returns when all nodes say that the cluster works, and replicas are in
// step with their primaries.
func (c *RedisCluster) Settle(ctx context.Context) error {
	if err := c.wait(ctx, "the cluster to work", func(info string) bool {
		return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_slots_ok:%d\r", clusterSlots))
	}); err != nil {
		return err
	}
	for _, node := range c.Nodes[c.options.Primaries:] {
		if err := node.inStep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// wait waits for what every node says of the cluster.
func (c *RedisCluster) wait(ctx context.Context, what string, says func(info string) bool) error {
	for _, node := range c.Nodes {
		if err := until(ctx, what, func() error {
			info, err := node.Client().ClusterInfo(ctx).Result()
			if err == nil && !says(info) {
				err = errors.New(info)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// inStep waits until a replica has all that its primary has.
func (r *Redis) inStep(ctx context.Context) error {
	return until(ctx, "a replica to be in step", func() error {
		info, err := r.client.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(info, "master_link_status:up") {
			err = errors.New(info)
		}
		return err
	})
}

// until calls f until it is nil, for half a minute at most.
func until(ctx context.Context, what string, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Addrs are where the nodes listen.
func (c *RedisCluster) Addrs() []string {
	addrs := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		addrs[i] = node.Addr()
	}
	return addrs
}

// Stop ends all nodes for good.
func (c *RedisCluster) Stop() error {
	var errs []error
	for _, node := range c.Nodes {
		errs = append(errs, node.Stop())
	}
	if c.ownDir {
		_ = os.RemoveAll(c.options.Dir) // leaves files behind, at worst
	}
	return errors.Join(errs...)
}
