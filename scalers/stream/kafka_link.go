package stream

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"github.com/segmentio/kafka-go/sasl"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// The client of package kafka opens a connection for each partition that it asks
// offsets of, answers with metadata of some seconds ago, and reads a reply that
// ends early as zeros. So the connections are ours; messages, versions and SASL
// are its own.

// kafkaClientID is who we say we are, for the logs of brokers.
const kafkaClientID = "freshet"

// call is a request and the message that its reply is read into.
type call struct {
	request, reply protocol.Message
}

// link is a connection to a broker that is signed in. One goroutine at a time
// uses it.
type link struct {
	conn     net.Conn
	in       *bufio.Reader
	versions map[protocol.ApiKey][2]int16
	lastID   int32
}

// dial connects to a broker and signs in.
func (d *kafkaDialer) dial(ctx context.Context, address string) (*link, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	if d.tls != nil {
		host, _, _ := net.SplitHostPort(address) // dialed: it is good
		config := d.tls.Clone()
		config.ServerName = host
		c = tls.Client(c, config)
	}
	l := &link{conn: c, in: bufio.NewReader(c)}
	if err := l.greet(ctx, d, address); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// greet shakes hands, learns the broker's versions and signs in.
func (l *link) greet(ctx context.Context, d *kafkaDialer, address string) error {
	if c, ok := l.conn.(*tls.Conn); ok {
		err := c.HandshakeContext(ctx)
		switch {
		case hungUp(err):
			return scalers.UnavailableError("it hung up instead of shaking hands, as ports without TLS do: check parameter tls: %w", err)
		case err != nil:
			return fmt.Errorf("shaking hands: %w", err)
		}
	}
	var versions apiversions.Response
	if _, err := l.exchange(ctx, call{new(apiversions.Request), &versions}); err != nil {
		return err
	}
	if err := kafkaError(versions.ErrorCode, "asking for versions"); err != nil {
		return err
	}
	l.versions = make(map[protocol.ApiKey][2]int16, len(versions.ApiKeys))
	for _, k := range versions.ApiKeys {
		l.versions[protocol.ApiKey(k.ApiKey)] = [2]int16{k.MinVersion, k.MaxVersion}
	}
	if d.sasl == nil {
		return nil
	}
	return l.signIn(ctx, d.sasl, address)
}

// signIn signs in by SASL.
func (l *link) signIn(ctx context.Context, m sasl.Mechanism, address string) error {
	var offer saslhandshake.Response
	if _, err := l.exchange(ctx, call{&saslhandshake.Request{Mechanism: m.Name()}, &offer}); err != nil {
		return err
	}
	if kafka.Error(offer.ErrorCode) == kafka.UnsupportedSASLMechanism {
		return scalers.ConfigurationError("the broker lets nobody sign in by %s: set parameter sasl to what it has (%s)",
			m.Name(), conn.Quote(strings.Join(offer.Mechanisms, ", ")))
	}
	if err := kafkaError(offer.ErrorCode, "signing in"); err != nil {
		return err
	}
	host, portText, _ := net.SplitHostPort(address) // dialed: it is good
	port, _ := strconv.Atoi(portText)               // a service's name leaves 0, which nobody reads
	ctx = sasl.WithMetadata(ctx, &sasl.Metadata{Host: host, Port: port})
	session, say, err := m.Start(ctx)
	if err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	for done := false; !done; {
		var answer saslauthenticate.Response
		if _, err := l.exchange(ctx, call{&saslauthenticate.Request{AuthBytes: say}, &answer}); err != nil {
			return err
		}
		if err := kafkaError(answer.ErrorCode, "signing in"); err != nil {
			if s, ok := session.(interface{ refused(context.Context) }); ok {
				s.refused(ctx)
			}
			return err
		}
		if done, say, err = session.Next(ctx, answer.AuthBytes); err != nil {
			return signInError(err)
		}
	}
	return nil
}

// signInError is why the broker's answer is no good. Its text, unless it is ours,
// is left out, for it may tell anything that the broker said.
func signInError(err error) error {
	var ours *scalers.Error
	if errors.As(err, &ours) {
		return fmt.Errorf("signing in: %w", err)
	}
	return scalers.AuthenticationError("signing in: the broker's answer does not fit the credentials: check parameters sasl, username and password")
}

// exchange sends the requests without waiting and reads their replies, which come
// in order. answered tells whether anything came. After an error, or once ctx
// ended, the link is of no use any more.
func (l *link) exchange(ctx context.Context, calls ...call) (answered bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	var out bytes.Buffer
	first := l.lastID + 1
	versions := make([]int16, len(calls))
	for i, c := range calls {
		if versions[i], err = l.version(c.request.ApiKey()); err != nil {
			return false, err
		}
		l.lastID++
		if err := protocol.WriteRequest(&out, versions[i], l.lastID, kafkaClientID, c.request); err != nil {
			return false, fmt.Errorf("encoding a request of %s: %w", c.request.ApiKey(), err)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = l.conn.SetDeadline(time.Unix(1, 0)) }) // ends what is in flight
	written := make(chan error, 1)
	go func() { // a broker that waits for us to read its replies must not wait in vain
		_, err := l.conn.Write(out.Bytes())
		written <- err
	}()
	for i, c := range calls {
		if err = l.reply(first+int32(i), versions[i], c); err != nil {
			break
		}
		answered = true
	}
	if err != nil {
		l.close() // ends the writing
	}
	if writeErr := <-written; err == nil {
		err = writeErr
	}
	if !stop() {
		return answered, ctx.Err()
	}
	return answered, err
}

// reply reads the reply to a request.
func (l *link) reply(id int32, version int16, c call) error {
	got, body, err := readReply(l.in)
	if err != nil {
		return err
	}
	if got != id {
		return errNoKafka
	}
	return decodeReply(body, version, c.reply)
}

// version is the newest version of an API that both sides speak.
func (l *link) version(api protocol.ApiKey) (int16, error) {
	if api == protocol.ApiVersions {
		return 0, nil // every broker knows it
	}
	theirs, ok := l.versions[api]
	newest := min(theirs[1], api.MaxVersion())
	if !ok || newest < max(theirs[0], api.MinVersion()) {
		return 0, scalers.ConfigurationError("the broker speaks versions %d to %d of Kafka's %s request, and Freshet %d to %d: it needs Kafka 1.0 or newer",
			theirs[0], theirs[1], api, api.MinVersion(), api.MaxVersion())
	}
	return newest, nil
}

// close closes the connection.
func (l *link) close() { _ = l.conn.Close() } // nothing is left to lose
