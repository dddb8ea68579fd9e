package servers

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// listeners are those that the options ask for.
func (k *Kafka) listeners() []KafkaListener {
	all := []KafkaListener{kafkaController, KafkaPlain, KafkaSASL, KafkaOAuth}
	if k.options.Proxy != "" {
		all = append(all, KafkaProxied)
	}
	if k.options.TLS != nil {
		all = append(all, KafkaSASLTLS, KafkaTLS)
	}
	return all
}

// kafkaProtocols are the security protocols of listeners.
var kafkaProtocols = map[KafkaListener]string{
	kafkaController: "PLAINTEXT", KafkaPlain: "PLAINTEXT", KafkaProxied: "PLAINTEXT",
	KafkaSASL: "SASL_PLAINTEXT", KafkaOAuth: "SASL_PLAINTEXT", KafkaSASLTLS: "SASL_SSL", KafkaTLS: "SSL",
}

// config is the server.properties of a node.
func (k *Kafka) config(n *kafkaNode) string {
	roles := "broker"
	if n.id == 1 {
		roles = "broker,controller"
	}
	var listen, advertise, protocols []string
	for _, l := range k.listeners() {
		protocols = append(protocols, string(l)+":"+kafkaProtocols[l])
		at := string(l) + "://" + n.addr(l)
		switch {
		case l != kafkaController:
			listen = append(listen, at)
			if l == KafkaProxied && n.id == 1 {
				at = string(l) + "://" + k.options.Proxy
			}
			advertise = append(advertise, at)
		case n.id == 1:
			listen = append(listen, at)
		}
	}
	const loginPackage = "org.apache.kafka.common.security."
	plain := loginPackage + "plain.PlainLoginModule required"
	for _, user := range slices.Sorted(maps.Keys(k.options.Users)) {
		plain += fmt.Sprintf(" user_%s=%q", user, k.options.Users[user])
	}
	lines := []string{
		"process.roles=" + roles, "node.id=" + strconv.Itoa(n.id), "log.dirs=" + n.dir + "/data",
		"controller.quorum.voters=1@" + k.nodes[0].addr(kafkaController), "controller.listener.names=" + string(kafkaController),
		"listeners=" + strings.Join(listen, ","), "advertised.listeners=" + strings.Join(advertise, ","),
		"listener.security.protocol.map=" + strings.Join(protocols, ","), "inter.broker.listener.name=" + string(KafkaPlain),
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS",
		"auto.create.topics.enable=false", "default.replication.factor=1", "min.insync.replicas=1",
		"offsets.topic.replication.factor=1", "offsets.topic.num.partitions=2", "group.initial.rebalance.delay.ms=0",
		"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1", "share.coordinator.state.topic.replication.factor=1",
		"num.network.threads=1", "num.io.threads=2", "log.cleaner.dedupe.buffer.size=4194304",
		"broker.heartbeat.interval.ms=200", "broker.session.timeout.ms=1000", // a dead broker is noticed soon
		"connection.failed.authentication.delay.ms=0", "controlled.shutdown.enable=false",
		"connections.max.reauth.ms=" + strconv.FormatInt(k.options.MaxReauth.Milliseconds(), 10),
		"listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER",
		"listener.name.oauth.oauthbearer.sasl.jaas.config=" + loginPackage + "oauthbearer.OAuthBearerLoginModule required;",
	}
	for _, l := range []KafkaListener{KafkaSASL, KafkaSASLTLS} {
		prefix := "listener.name." + strings.ToLower(string(l)) + "."
		lines = append(lines, prefix+"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512", prefix+"plain.sasl.jaas.config="+plain+";")
		for _, scram := range []string{"scram-sha-256", "scram-sha-512"} {
			lines = append(lines, prefix+scram+".sasl.jaas.config="+loginPackage+"scram.ScramLoginModule required;")
		}
	}
	if t := k.options.TLS; t != nil {
		lines = append(lines, "ssl.keystore.type=PEM", "ssl.keystore.location="+n.dir+"/keystore.pem",
			"ssl.truststore.type=PEM", "ssl.truststore.location="+t.CA, "listener.name.tls.ssl.client.auth=required")
	}
	return strings.Join(lines, "\n") + "\n"
}
