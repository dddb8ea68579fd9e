package main

import (
	"fmt"
	"time"
)

// lease is how the leader is elected.
type lease struct {
	// life is how long others wait for a leader that is silent, renew how long the
	// leader tries to be heard before it gives up, and retry how often it tries.
	life, renew, retry time.Duration
}

// leaseFromEnv takes what concerns the election from the environment.
func (o *options) leaseFromEnv(getenv func(string) string) {
	o.lease = lease{life: 15 * time.Second, renew: 10 * time.Second, retry: 2 * time.Second}
	for _, v := range []struct {
		name string
		to   *time.Duration
	}{
		{"KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION", &o.lease.life},
		{"KEDA_OPERATOR_LEADER_ELECTION_RENEW_DEADLINE", &o.lease.renew},
		{"KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD", &o.lease.retry},
	} {
		text := getenv(v.name)
		if text == "" {
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			o.envFaults = append(o.envFaults, fmt.Errorf("environment variable %s is %q, which is not a duration such as 10s", v.name, text))
			continue
		}
		*v.to = d
	}
}

// validateLease adds the faults of what concerns the election.
func (o *options) validateLease(add func(format string, args ...any)) {
	const jitter = 1.2 // of the election's own
	l := o.lease
	if l.retry <= 0 || float64(l.renew) <= jitter*float64(l.retry) || l.life <= l.renew {
		add("the election has a lease of %s, a deadline of %s and tries every %s: the lease must be longer than the deadline, and that than 1.2 times the last",
			l.life, l.renew, l.retry)
	}
}
