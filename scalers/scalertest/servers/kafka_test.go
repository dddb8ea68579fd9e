package servers_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestKafkaComesBackAndEnds(t *testing.T) {
	ca, err := servers.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ca.WriteServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k := scalertest.Kafka(t, servers.KafkaOptions{
		Brokers: 2, TLS: files, Users: map[string]string{"reader": "pw"}, Proxy: "127.0.0.1:1", MaxReauth: time.Minute,
	})
	addr := k.Addr(servers.KafkaPlain)
	client := &kafka.Client{Addr: kafka.TCP(addr), Transport: &kafka.Transport{}}
	defer client.Transport.(*kafka.Transport).CloseIdleConnections()
	created, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: "orders", NumPartitions: 1, ReplicationFactor: 1},
	}})
	if err != nil || created.Errors["orders"] != nil {
		t.Fatal(err, created)
	}
	for _, l := range []servers.KafkaListener{servers.KafkaSASL, servers.KafkaOAuth, servers.KafkaProxied, servers.KafkaSASLTLS, servers.KafkaTLS} {
		for id := 1; id <= 2; id++ {
			if err := dial(k.BrokerAddr(id, l)); err != nil {
				t.Errorf("listener %s of broker %d: %v", l, id, err)
			}
		}
	}
	if err := k.KillBroker(2); err != nil {
		t.Fatal(err)
	}
	if err := dial(addr); err != nil {
		t.Errorf("after the end of the second broker the first does not answer: %v", err)
	}
	if err := k.Kill(); err != nil {
		t.Fatal(err)
	}
	if refused := dial(addr); !errors.Is(refused, syscall.ECONNREFUSED) {
		t.Fatalf("after Kill the port answers: %v", refused)
	}
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.Addr(servers.KafkaPlain) != addr {
		t.Errorf("moved from %s to %s", addr, k.Addr(servers.KafkaPlain))
	}
	if parts, err := kafka.DefaultDialer.LookupPartitions(t.Context(), "tcp", addr, "orders"); err != nil || len(parts) != 1 {
		t.Errorf("it lost its topic: %v, %v", parts, err)
	}
	for range 2 {
		if err := k.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	}
}

func TestKafkaSaysWhatIsMissing(t *testing.T) {
	t.Setenv("FRESHET_CACHE", t.TempDir())
	_, err := servers.StartKafka(t.Context(), servers.KafkaOptions{})
	if !servers.IsNotInstalled(err) {
		t.Errorf("got %v, want it to say that Kafka is not installed", err)
	}
}

func TestKafkaSaysWhyItDoesNotStart(t *testing.T) {
	_, err := servers.StartKafka(t.Context(), servers.KafkaOptions{Dir: t.TempDir(), Users: map[string]string{"bad": ""}})
	if servers.IsNotInstalled(err) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err == nil || !strings.Contains(err.Error(), "Empty key") {
		t.Errorf("got %v, want the server's own words", err)
	}
}
