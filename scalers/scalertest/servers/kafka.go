package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"
)

// KafkaListener is a way to speak to a broker: a port of its own.
type KafkaListener string

// The listeners of a broker.
const (
	// KafkaPlain takes anybody, as a user who may do everything.
	KafkaPlain KafkaListener = "PLAINTEXT"
	// KafkaSASL asks for a user by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
	KafkaSASL KafkaListener = "SASL"
	// KafkaOAuth asks for a JSON web token, which need not be signed, by OAUTHBEARER.
	KafkaOAuth KafkaListener = "OAUTH"
	// KafkaProxied is KafkaPlain whose clients are told the address of a proxy.
	KafkaProxied KafkaListener = "PROXIED"
	// KafkaSASLTLS is KafkaSASL with TLS.
	KafkaSASLTLS KafkaListener = "SASLTLS"
	// KafkaTLS asks for a client certificate.
	KafkaTLS KafkaListener = "TLS"

	kafkaController KafkaListener = "CONTROLLER"
)

// KafkaOptions say how a Kafka is to run. The zero value is one broker.
type KafkaOptions struct {
	// Dir is where the brokers keep their data and logs; "" is a folder of its own
	// that goes with the server.
	Dir string
	// Brokers is how many there are; 0 is 1. The first is the controller too.
	Brokers int
	// Users are the passwords of SASL users. They and the owners of tokens may do
	// nothing but what access control lists allow.
	Users map[string]string
	// Proxy is the address that clients of KafkaProxied are told, of the first
	// broker; "" leaves the listener out.
	Proxy string
	// TLS, when set, adds the listeners with TLS.
	TLS *TLSFiles
	// MaxReauth, when set, is how long a SASL session lasts.
	MaxReauth time.Duration
}

// Kafka is a Kafka cluster in KRaft mode.
type Kafka struct {
	options KafkaOptions
	ownDir  bool
	java    kafkaJava
	nodes   []*kafkaNode
}

// kafkaNode is one broker.
type kafkaNode struct {
	id      int
	dir     string
	ports   map[KafkaListener]int
	process process
}

// StartKafka starts brokers and returns when all of them know each other.
func StartKafka(ctx context.Context, o KafkaOptions) (*Kafka, error) {
	java, err := lookKafka()
	if err != nil {
		return nil, err
	}
	return startKafka(ctx, java, o)
}

func startKafka(ctx context.Context, java kafkaJava, o KafkaOptions) (k *Kafka, err error) {
	k = &Kafka{options: o, java: java}
	if o.Dir == "" {
		k.ownDir = true
		if k.options.Dir, err = os.MkdirTemp("", "kafka"); err != nil {
			return nil, fmt.Errorf("making the server's folder: %w", err)
		}
	}
	for attempt := 0; ; attempt++ { // another process may take a port that was free
		if err = k.create(ctx); err == nil {
			err = k.Start(ctx)
		}
		if err == nil {
			return k, nil
		}
		if attempt == 3 || ctx.Err() != nil || !strings.Contains(err.Error(), "Address already in use") {
			break
		}
		_ = k.Kill() // the error that led here says more
	}
	if stopErr := k.Stop(); stopErr != nil {
		err = fmt.Errorf("%w; %w", err, stopErr)
	}
	return nil, err
}

// create makes the nodes with ports and formatted folders.
func (k *Kafka) create(ctx context.Context) error {
	listeners := k.listeners()
	brokers := max(1, k.options.Brokers)
	ports, err := freePorts(brokers * len(listeners))
	if err != nil {
		return err
	}
	k.nodes = nil
	for id := 1; id <= brokers; id++ {
		n := &kafkaNode{id: id, dir: filepath.Join(k.options.Dir, strconv.Itoa(id)), ports: map[KafkaListener]int{}}
		for i, l := range listeners {
			n.ports[l] = ports[(id-1)*len(listeners)+i]
		}
		k.nodes = append(k.nodes, n)
	}
	for _, n := range k.nodes {
		if err := k.format(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// format writes the configuration of a node and prepares its folder.
func (k *Kafka) format(ctx context.Context, n *kafkaNode) error {
	if err := os.RemoveAll(n.dir); err != nil {
		return fmt.Errorf("emptying the server's folder: %w", err)
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return fmt.Errorf("making the server's folder: %w", err)
	}
	config := filepath.Join(n.dir, "server.properties")
	if err := os.WriteFile(config, []byte(k.config(n)), 0o600); err != nil {
		return fmt.Errorf("writing the server's configuration: %w", err)
	}
	if err := k.writeKeystore(n); err != nil {
		return err
	}
	args := []string{"format", "--cluster-id", "AAAAAAAAAAAAAAAAAAAAAQ", "--config", config}
	for user, password := range k.options.Users {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, user, password))
		}
	}
	if out, err := k.java.command(ctx, "kafka.tools.StorageTool", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("formatting the server's folder: %w: %s", err, out)
	}
	n.process = process{
		program: k.java.program, args: append(k.java.args[:len(k.java.args):len(k.java.args)], "kafka.Kafka", config),
		dir: n.dir, logFile: filepath.Join(n.dir, "kafka.log"), patience: 2 * time.Minute,
	}
	return nil
}

// writeKeystore writes the server's key and certificate as one file, as brokers
// want them.
func (k *Kafka) writeKeystore(n *kafkaNode) error {
	t := k.options.TLS
	if t == nil {
		return nil
	}
	key, keyErr := os.ReadFile(t.Key)
	cert, certErr := os.ReadFile(t.Cert)
	if err := errors.Join(keyErr, certErr); err != nil {
		return fmt.Errorf("reading TLS files: %w", err)
	}
	if err := os.WriteFile(filepath.Join(n.dir, "keystore.pem"), append(key, cert...), 0o600); err != nil {
		return fmt.Errorf("writing TLS files: %w", err)
	}
	return nil
}

// Start starts the brokers that do not run, on the same ports and with what they
// knew, and returns when all know each other.
func (k *Kafka) Start(ctx context.Context) error {
	for _, n := range k.nodes {
		n.process.mu.Lock()
		runs := n.process.running()
		n.process.mu.Unlock()
		if runs {
			continue
		}
		if err := n.process.start(strings.NewReader("")); err != nil {
			return err
		}
	}
	for _, n := range k.nodes {
		if err := n.process.waitReady(ctx, func(ctx context.Context) error { return k.answers(ctx, n) }); err != nil {
			return err
		}
	}
	return nil
}

// answers is nil when the node knows all nodes.
func (k *Kafka) answers(ctx context.Context, n *kafkaNode) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := kafka.DialContext(ctx, "tcp", n.addr(KafkaPlain))
	if err != nil {
		return err //nolint:wrapcheck // only the last one is shown, wrapped there
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second)) // fails with the read
	brokers, err := c.Brokers()
	switch {
	case err != nil:
		return err //nolint:wrapcheck // only the last one is shown, wrapped there
	case len(brokers) < len(k.nodes):
		return fmt.Errorf("it knows %d brokers of %d", len(brokers), len(k.nodes))
	}
	return nil
}

func (n *kafkaNode) addr(l KafkaListener) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.ports[l]))
}

// Addr is where the listener of the first broker is, as host:port.
func (k *Kafka) Addr(l KafkaListener) string { return k.BrokerAddr(1, l) }

// BrokerAddr is where the listener of a broker is, as host:port. Brokers are
// numbered from 1.
func (k *Kafka) BrokerAddr(id int, l KafkaListener) string { return k.nodes[id-1].addr(l) }

// Kill ends all brokers as a crash would and returns when they are gone. Their
// ports stay their own: see [Kafka.Start].
func (k *Kafka) Kill() error {
	var faults []error
	for _, n := range k.nodes {
		faults = append(faults, n.process.end(syscall.SIGKILL))
	}
	return errors.Join(faults...)
}

// KillBroker ends one broker as a crash would. Brokers are numbered from 1.
func (k *Kafka) KillBroker(id int) error { return k.nodes[id-1].process.end(syscall.SIGKILL) }

// Stop ends the cluster for good, its data with it, and returns when it is gone.
// To stop a cluster that is gone does nothing.
func (k *Kafka) Stop() error {
	return k.stop(syscall.SIGKILL) // what is lost goes anyway
}

func (k *Kafka) stop(signal syscall.Signal) error {
	var faults []error
	for _, n := range k.nodes {
		faults = append(faults, n.process.end(signal))
	}
	if k.ownDir {
		_ = os.RemoveAll(k.options.Dir) // leaves a log behind, at worst
	}
	return errors.Join(faults...)
}
