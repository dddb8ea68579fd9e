package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// RedisSentinelOptions say how a primary, its replica and their sentinels are to
// run. The zero value is open ones, with one sentinel.
type RedisSentinelOptions struct {
	// Dir is where all keep their files; "" is a folder of its own that goes with
	// them.
	Dir string
	// Sentinels is how many watch. Default 1. More than half of them must agree.
	Sentinels int
	// Password of the user default, ACL and TLS are those of the two servers.
	Password string
	ACL      []string
	TLS      *TLSFiles
	// SentinelPassword of the user default and SentinelACL are those of each
	// sentinel, which has the TLS of the servers.
	SentinelPassword string
	SentinelACL      []string
}

// RedisSentinels is a primary with a replica, and the sentinels that replace the
// one by the other.
type RedisSentinels struct {
	options RedisSentinelOptions
	ownDir  bool
	// Servers are the first primary and its replica.
	Servers [2]*Redis
	// Sentinels watch them.
	Sentinels []*Redis
}

// RedisPrimary is the name by which sentinels know the primary.
const RedisPrimary = "mymaster"

// StartRedisSentinels starts the servers and sentinels, and returns when a
// failover would succeed.
func StartRedisSentinels(ctx context.Context, o RedisSentinelOptions) (*RedisSentinels, error) {
	if o.Sentinels == 0 {
		o.Sentinels = 1
	}
	s := &RedisSentinels{options: o}
	var err error
	if o.Dir == "" {
		s.ownDir = true
		if s.options.Dir, err = os.MkdirTemp("", "redis-sentinel"); err != nil {
			return nil, fmt.Errorf("making the servers' folder: %w", err)
		}
	}
	if err = s.startServers(ctx); err == nil {
		err = s.startSentinels(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *RedisSentinels) startServers(ctx context.Context) (err error) {
	o := s.options
	lines := []string{"repl-diskless-sync-delay 0"}
	if o.Password != "" {
		lines = append(lines, "masterauth "+strconv.Quote(o.Password))
	}
	if o.TLS != nil {
		lines = append(lines, "tls-replication yes")
	}
	for i, name := range []string{"primary", "replica"} {
		if i > 0 {
			lines = append(lines, fmt.Sprintf("replicaof 127.0.0.1 %d", s.Servers[0].options.Port))
		}
		if s.Servers[i], err = StartRedis(ctx, RedisOptions{
			Dir: filepath.Join(o.Dir, name), Password: o.Password, ACL: o.ACL, TLS: o.TLS, Lines: lines,
		}); err != nil {
			return fmt.Errorf("starting the %s: %w", name, err)
		}
	}
	return s.Servers[1].inStep(ctx)
}

func (s *RedisSentinels) startSentinels(ctx context.Context) error {
	o := s.options
	lines := []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d %d", RedisPrimary, s.Servers[0].options.Port, o.Sentinels/2+1),
		"sentinel down-after-milliseconds " + RedisPrimary + " 500",
		"sentinel failover-timeout " + RedisPrimary + " 5000",
	}
	if o.Password != "" {
		lines = append(lines, "sentinel auth-pass "+RedisPrimary+" "+strconv.Quote(o.Password))
	}
	if o.SentinelPassword != "" {
		lines = append(lines, "sentinel sentinel-pass "+strconv.Quote(o.SentinelPassword))
	}
	if o.TLS != nil {
		lines = append(lines, "tls-replication yes")
	}
	for i := range o.Sentinels {
		sentinel, err := StartRedis(ctx, RedisOptions{
			Dir: filepath.Join(o.Dir, "sentinel"+strconv.Itoa(i)), Password: o.SentinelPassword, ACL: o.SentinelACL, TLS: o.TLS,
			Lines: lines, sentinel: true,
		})
		if err != nil {
			return fmt.Errorf("starting sentinel %d: %w", i, err)
		}
		s.Sentinels = append(s.Sentinels, sentinel)
	}
	return s.Settle(ctx)
}

// Settle returns when all sentinels know each other and a replica that works.
func (s *RedisSentinels) Settle(ctx context.Context) error {
	for _, sentinel := range s.Sentinels {
		if err := until(ctx, "sentinels to know the replica", func() error {
			return sentinel.Client().Do(ctx, "SENTINEL", "CKQUORUM", RedisPrimary).Err()
		}); err != nil {
			return err
		}
		if err := until(ctx, "sentinels to know all", func() error { return s.knows(ctx, sentinel) }); err != nil {
			return err
		}
	}
	return nil
}

// knows is nil when the sentinel knows the replica and all other sentinels.
func (s *RedisSentinels) knows(ctx context.Context, sentinel *Redis) error {
	primary, err := sentinel.Client().Do(ctx, "SENTINEL", "MASTER", RedisPrimary).Result()
	if err != nil {
		return err //nolint:wrapcheck // only the last one is shown, wrapped there
	}
	replicas, err := sentinel.Client().Do(ctx, "SENTINEL", "REPLICAS", RedisPrimary).Slice()
	if err != nil {
		return err //nolint:wrapcheck // only the last one is shown, wrapped there
	}
	fields, _ := primary.(map[any]any)
	if fields["num-other-sentinels"] != strconv.Itoa(len(s.Sentinels)-1) || fields["flags"] != "master" || len(replicas) != 1 {
		return fmt.Errorf("the sentinel knows %v and %v", fields, replicas)
	}
	if replica, _ := replicas[0].(map[any]any); replica["flags"] != "slave" || replica["master-link-status"] != "ok" {
		return fmt.Errorf("the sentinel knows the replica as %v", replica)
	}
	return nil
}

// Primary is the server that the first sentinel names as the primary.
func (s *RedisSentinels) Primary(ctx context.Context) (*Redis, error) {
	return s.named(ctx, s.Sentinels[0])
}

// Agree is nil when all sentinels name the server as the primary.
func (s *RedisSentinels) Agree(ctx context.Context, primary *Redis) error {
	for _, sentinel := range s.Sentinels {
		named, err := s.named(ctx, sentinel)
		if err != nil {
			return err
		}
		if named != primary {
			return fmt.Errorf("sentinel %s names %s", sentinel.Addr(), named.Addr())
		}
	}
	return nil
}

// named is the server that the sentinel names as the primary.
func (s *RedisSentinels) named(ctx context.Context, sentinel *Redis) (*Redis, error) {
	parts, err := sentinel.Client().Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", RedisPrimary).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("asking for the primary: %w", err)
	}
	for _, server := range s.Servers {
		if server.Addr() == strings.Join(parts, ":") {
			return server, nil
		}
	}
	return nil, fmt.Errorf("the sentinel names %v", parts)
}

// Failover has the sentinels replace the primary, and returns when they agreed
// to.
func (s *RedisSentinels) Failover(ctx context.Context) error {
	if err := s.Sentinels[0].Client().Do(ctx, "SENTINEL", "FAILOVER", RedisPrimary).Err(); err != nil {
		return fmt.Errorf("asking for a failover: %w", err)
	}
	return nil
}

// Addrs are where the sentinels listen.
func (s *RedisSentinels) Addrs() []string {
	addrs := make([]string, len(s.Sentinels))
	for i, sentinel := range s.Sentinels {
		addrs[i] = sentinel.Addr()
	}
	return addrs
}

// Stop ends all for good.
func (s *RedisSentinels) Stop() error {
	var errs []error
	for _, sentinel := range s.Sentinels {
		errs = append(errs, sentinel.Stop())
	}
	for _, server := range s.Servers {
		if server != nil {
			errs = append(errs, server.Stop())
		}
	}
	if s.ownDir {
		_ = os.RemoveAll(s.options.Dir) // leaves files behind, at worst
	}
	return errors.Join(errs...)
}
