package queue_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

const (
	overAMQP = "amqp://user:S3NT1N3L@broker:5672/shop"
	overHTTP = "http://user:S3NT1N3L@broker:15672/shop"
)

func TestRabbitMQTargets(t *testing.T) {
	for _, tc := range []struct {
		reason   string
		metadata m
		want     float64
	}{
		{"nothing set counts messages, 20 a replica", nil, 20},
		{"the older parameter", m{"queueLength": "7"}, 7},
		{"which as 0 is not set", m{"queueLength": "0"}, 20},
		{"mode and value", m{"mode": "QueueLength", "value": "0.5"}, 0.5},
		{"Unknown is no mode", m{"mode": "Unknown"}, 20},
		{"a rate", m{"mode": "MessageRate", "value": "2.5", "host": overHTTP}, 2.5},
	} {
		s := trigger(t, overAMQP, "orders", tc.metadata, nil)
		if s.Target != tc.want {
			t.Errorf("%s: the target is %v, want %v", tc.reason, s.Target, tc.want)
		}
	}
	s := trigger(t, overHTTP, "a/b c.d", m{"activationValue": "2.5"}, nil)
	if s.Activation != 2.5 || s.Stem != "rabbitmq-a%2Fb+c.d" || scalers.MetricName(1, s.Stem) != "s1-rabbitmq-a-2Fb+c-d" {
		t.Errorf("activation %v, metric %s", s.Activation, scalers.MetricName(1, s.Stem))
	}
}

func TestRabbitMQFaults(t *testing.T) {
	for _, tc := range []struct {
		reason         string
		host           string
		metadata, auth m
		want           []string // parts of the error
	}{
		{"no queue and no host", "", m{"queueName": ""}, nil, []string{"parameter queueName is missing", "parameter host is missing", "authentication parameter host", "hostFromEnv"}},
		{"no address", "://", nil, nil, []string{"parameter host is not an address"}},
		{"control characters", "amqp://a:S3NT1N3L\x01@b", nil, nil, []string{"parameter host is not an address"}},
		{"another scheme", "stomp://a:S3NT1N3L@b:1", nil, nil, []string{"host must begin with amqp://, amqps://, http:// or https://"}},
		{"no host name", "amqp:///shop", nil, nil, []string{"parameter host has no host name"}},
		{"AMQP on the address of the API", overHTTP, m{"protocol": "amqp"}, nil, []string{"protocol is amqp, but parameter host begins with http://"}},
		{"HTTP on the address of the broker", overAMQP, m{"protocol": "http"}, nil, []string{"protocol is http, but parameter host begins with amqp://"}},
		{"unknown protocol", overAMQP, m{"protocol": "mqtt"}, nil, []string{`protocol is "mqtt"`, "auto, amqp, http"}},
		{"unknown mode", overHTTP, m{"mode": "Length", "value": "1"}, nil, []string{`mode is "Length"`, "DeliverGetRate"}},
		{"unknown operation", overHTTP, m{"operation": "min"}, nil, []string{`operation is "min"`, "sum, avg, max"}},
		{"mode alone", overHTTP, m{"mode": "MessageRate"}, nil, []string{"parameter value is missing"}},
		{"value alone", overHTTP, m{"value": "3"}, nil, []string{"parameter mode is missing"}},
		{"a value of 0", overHTTP, m{"mode": "QueueLength", "value": "0"}, nil, []string{"parameter value is missing"}},
		{"both forms", overHTTP, m{"mode": "QueueLength", "value": "3", "queueLength": "3"}, nil, []string{"queueLength may not be given together with mode or value"}},
		{"the older form and a value", overHTTP, m{"value": "3", "queueLength": "3"}, nil, []string{"queueLength may not be given together"}},
		{"a negative value", overHTTP, m{"mode": "QueueLength", "value": "-3"}, nil, []string{"value is -3, and must be at least 0.001"}},
		{"a negative length", overHTTP, m{"queueLength": "-1"}, nil, []string{"queueLength is -1, and must be at least 0.001"}},
		{"no number", overHTTP, m{"mode": "QueueLength", "value": "NaN", "activationValue": "x"}, nil, []string{"value", "NaN", "activationValue"}},
		{"a rate over AMQP", overAMQP, m{"mode": "DeliverGetRate", "value": "3"}, nil, []string{"which does not serve mode DeliverGetRate", "http://host:15672/vhost"}},
		{"a time-out over AMQP", overAMQP, m{"mode": "QueueLength", "value": "3", "timeout": "1s"}, nil, []string{"which does not serve timeout"}},
		{"what AMQP does not serve", overAMQP, m{"useRegex": "true", "excludeUnacknowledged": "true"}, nil, []string{"which does not serve useRegex, excludeUnacknowledged"}},
		{"an empty page", overHTTP, m{"pageSize": "0"}, nil, []string{"pageSize is 0, and must be at least 1"}},
		{"a user without a password", overHTTP, nil, m{"username": "u"}, []string{"username and password go together"}},
		{"a password without a user", overHTTP, nil, m{"password": "S3NT1N3L"}, []string{"username and password go together"}},
		{"TLS without TLS", overAMQP, nil, m{"tls": "enable"}, []string{"tls is enable, but parameter host begins with amqp://"}},
		{"TLS without TLS", overHTTP, nil, m{"tls": "enable"}, []string{"tls is enable, but parameter host begins with http://"}},
		{"neither on nor off", overHTTP, nil, m{"tls": "yes"}, []string{`tls is "yes"`, "enable, disable"}},
		{"a certificate without a key", overAMQP, nil, m{"cert": "c"}, []string{"cert and key go together"}},
		{"no certificate", overAMQP, nil, m{"ca": "c"}, []string{"parameter ca holds no PEM certificate"}},
		{"an identity that is not there", overHTTP, nil, m{"workloadIdentityResource": "r"}, []string{"workloadIdentityResource needs a podIdentity of provider azure-workload"}},
		{"all at once", overAMQP, m{"mode": "MessageRate", "useRegex": "true"}, m{"username": "u", "tls": "enable", "ca": "c", "workloadIdentityResource": "r"}, []string{
			"value is missing", "mode MessageRate, useRegex, workloadIdentityResource", "username and password", "tls is enable", "parameter ca", "podIdentity",
		}},
	} {
		_, err := decode(tc.host, "orders", tc.metadata, tc.auth)
		if err == nil {
			t.Errorf("%s: it decodes", tc.reason)
			continue
		}
		if scalers.ClassOf(err) != scalers.Configuration || strings.Contains(err.Error(), "S3NT1N3L") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: of class %s: %q", tc.reason, scalers.ClassOf(err), err)
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error does not hold %q: %v", tc.reason, want, err)
			}
		}
	}
}

func TestRabbitMQTakes(t *testing.T) {
	for _, tc := range []struct {
		reason string
		in     param.Input
		set    scalers.Setting
	}{
		{"the host from the environment", param.Input{Metadata: m{"queueName": "q", "hostFromEnv": "HOST"}, Env: m{"HOST": overAMQP}}, scalers.Setting{}},
		{"the host from the authentication", param.Input{Metadata: m{"queueName": "q"}, Auth: m{"host": overHTTP, "protocol": "http", "vhostName": "v"}}, scalers.Setting{}},
		{"users from the environment", param.Input{Metadata: m{"queueName": "q", "host": overAMQP, "usernameFromEnv": "U", "passwordFromEnv": "P"}, Env: m{"U": "u", "P": "p"}}, scalers.Setting{}},
		{"a time-out that has no effect", param.Input{Metadata: m{"queueName": "q", "host": overAMQP, "queueLength": "3", "timeout": "1000"}}, scalers.Setting{}},
		{"a mode without value in a formula", param.Input{Metadata: m{"queueName": "q", "host": overHTTP, "mode": "MessageRate"}}, scalers.Setting{Formula: true}},
		{"an identity", param.Input{Metadata: m{"queueName": "q", "host": overHTTP}, Auth: m{"workloadIdentityResource": "r"}}, scalers.Setting{Identity: scalers.Identity{Provider: "azure-workload"}}},
		{"an identity that is not used", param.Input{Metadata: m{"queueName": "q", "host": overAMQP}}, scalers.Setting{Identity: scalers.Identity{Provider: "aws"}}},
	} {
		if _, _, err := scalers.Decode("rabbitmq", tc.in, tc.set); err != nil {
			t.Errorf("%s: %v", tc.reason, err)
		}
	}
}

func TestRabbitMQSources(t *testing.T) {
	const tls = "amqps://broker"
	for _, tc := range []struct {
		reason string
		a, b   *scalers.Scaler
		same   bool
	}{
		{"queues of a virtual host", trigger(t, overAMQP, "a", nil, nil), trigger(t, overAMQP, "b", m{"queueLength": "3"}, nil), true},
		{"virtual hosts over AMQP", trigger(t, overAMQP, "a", nil, nil), trigger(t, overAMQP, "a", m{"vhostName": "other"}, nil), false},
		{"the same virtual host by two names", trigger(t, overAMQP, "a", nil, nil), trigger(t, overAMQP+"x", "a", m{"vhostName": "shop"}, nil), true},
		{"virtual hosts over HTTP", trigger(t, overHTTP, "a", nil, nil), trigger(t, overHTTP, "a", m{"vhostName": "other"}, nil), true},
		{"the virtual host /", trigger(t, "amqp://b", "a", nil, nil), trigger(t, "amqp://guest:guest@b:5672/%2f", "a", nil, nil), true},
		{"the same user by two ways", trigger(t, overHTTP, "a", nil, nil), trigger(t, "http://broker:15672", "a", nil, m{"username": "user", "password": "S3NT1N3L"}), true},
		{"the same user by two ways", trigger(t, overAMQP, "a", nil, nil), trigger(t, "amqp://x:y@broker/shop", "a", nil, m{"username": "user", "password": "S3NT1N3L"}), true},
		{"two users", trigger(t, overHTTP, "a", nil, nil), trigger(t, "http://broker:15672", "a", nil, nil), false},
		{"two protocols", trigger(t, overHTTP, "a", nil, nil), trigger(t, overAMQP, "a", nil, nil), false},
		{"with TLS and without", trigger(t, "amqp://broker:5671", "a", nil, nil), trigger(t, tls, "a", nil, nil), false},
		{"checks", trigger(t, tls, "a", nil, nil), trigger(t, tls, "a", m{"unsafeSsl": "true"}, nil), false},
		{"time-outs", trigger(t, overHTTP, "a", nil, nil), trigger(t, overHTTP, "a", m{"timeout": "1s"}, nil), true},
	} {
		if same := tc.a.Source.Fingerprint == tc.b.Source.Fingerprint; same != tc.same {
			t.Errorf("%s: one source is %v, want %v: %s and %s", tc.reason, same, tc.same, tc.a.Source.Name, tc.b.Source.Name)
		}
	}
	names := []string{trigger(t, overAMQP, "a", nil, nil).Source.Name, trigger(t, overHTTP, "a", nil, nil).Source.Name, trigger(t, "amqp://[::1]", "a", nil, nil).Source.Name}
	want := []string{`rabbitmq amqp://broker:5672, vhost "shop"`, "rabbitmq http://broker:15672", `rabbitmq amqp://[::1]:5672, vhost "/"`}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// Where the activation takes part in the value, two triggers are two reads.
	a, b := trigger(t, overHTTP, "a", m{"activationValue": "1"}, nil), trigger(t, overHTTP, "a", m{"activationValue": "2"}, nil)
	if a.Query == b.Query {
		t.Error("two activations are one read")
	}
}
