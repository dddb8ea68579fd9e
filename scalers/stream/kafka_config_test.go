package stream_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestKafkaFaults(t *testing.T) {
	t.Parallel()
	login := m{"username": "u", "password": "p"}
	for name, tc := range map[string]struct {
		metadata, auth m
		setting        scalers.Setting
		faults         []string
	}{
		"nothing":            {m{"bootstrapServers": "", "consumerGroup": ""}, nil, scalers.Setting{}, []string{"bootstrapServers", "consumerGroup"}},
		"no port":            {m{"bootstrapServers": "kafka,b:1,:9092,c:"}, nil, scalers.Setting{}, []string{`"kafka"`, `":9092"`, `"c:"`}},
		"only commas":        {m{"bootstrapServers": ", ,"}, nil, scalers.Setting{}, []string{"names no broker"}},
		"target":             {m{"lagThreshold": "0"}, nil, scalers.Setting{}, []string{"lagThreshold"}},
		"target, formula":    {m{"lagThreshold": "0"}, nil, scalers.Setting{Formula: true}, []string{"lagThreshold"}},
		"activation":         {m{"activationLagThreshold": "-1"}, nil, scalers.Setting{}, []string{"activationLagThreshold"}},
		"policy":             {m{"offsetResetPolicy": "newest"}, nil, scalers.Setting{}, []string{"offsetResetPolicy"}},
		"idle and limit":     {m{"topic": "a", "allowIdleConsumers": "true", "limitToPartitionsWithLag": "true"}, nil, scalers.Setting{}, []string{"allowIdleConsumers and limitToPartitionsWithLag"}},
		"limit and even":     {m{"topic": "a", "limitToPartitionsWithLag": "true", "ensureEvenDistributionOfPartitions": "true"}, nil, scalers.Setting{}, []string{"limitToPartitionsWithLag and ensureEven"}},
		"limit, no topic":    {m{"limitToPartitionsWithLag": "true"}, nil, scalers.Setting{}, []string{"limitToPartitionsWithLag needs parameter topic"}},
		"even, no topic":     {m{"ensureEvenDistributionOfPartitions": "true"}, nil, scalers.Setting{}, []string{"ensureEvenDistributionOfPartitions needs parameter topic"}},
		"metadata, no topic": {m{"fullMetadata": "false"}, nil, scalers.Setting{}, []string{"fullMetadata"}},
		"topic":              {m{"topic": "a,b c,d/e"}, nil, scalers.Setting{}, []string{`"b c"`, `"d/e"`}},
		"long topic":         {m{"topic": strings.Repeat("a", 250)}, nil, scalers.Setting{}, []string{"parameter topic"}},
		"long group":         {m{"consumerGroup": strings.Repeat("a", 40000)}, nil, scalers.Setting{}, []string{"consumerGroup is too long"}},
		"partitions":         {m{"partitionLimitation": "1,x"}, nil, scalers.Setting{}, []string{`partitionLimitation holds "x"`}},
		"partition":          {m{"partitionLimitation": "1,-4"}, nil, scalers.Setting{}, []string{"partitionLimitation holds -4"}},
		"large partition":    {m{"partitionLimitation": "4294967296"}, nil, scalers.Setting{}, []string{"partitionLimitation holds 4294967296"}},
		"version":            {m{"version": "latest"}, nil, scalers.Setting{}, []string{"version is"}},
		"tls":                {m{"tls": "yes"}, nil, scalers.Setting{}, []string{"parameter tls"}},
		"tls, auth":          {nil, m{"tls": "yes"}, scalers.Setting{}, []string{"parameter tls"}},
		"no authority":       {m{"tls": "enable"}, m{"ca": "x"}, scalers.Setting{}, []string{"parameter ca"}},
		"certificate alone":  {m{"tls": "enable"}, m{"cert": "x"}, scalers.Setting{}, []string{"cert and key"}},
		"key alone":          {m{"tls": "enable"}, m{"key": "x"}, scalers.Setting{}, []string{"cert and key"}},
		"sasl":               {m{"sasl": "digest"}, nil, scalers.Setting{}, []string{"parameter sasl"}},
		"plain":              {m{"sasl": "plaintext"}, nil, scalers.Setting{}, []string{"username is missing", "password is missing"}},
		"scram":              {nil, m{"sasl": "scram_sha512", "username": "u"}, scalers.Setting{}, []string{"password is missing"}},
		"oauth":              {m{"sasl": "oauthbearer"}, nil, scalers.Setting{}, []string{"username", "password", "oauthTokenEndpointUri"}},
		"oauth address":      {m{"sasl": "oauthbearer"}, with(login, m{"oauthTokenEndpointUri": "idp/token"}), scalers.Setting{}, []string{"oauthTokenEndpointUri"}},
		"oauth extensions": {m{"sasl": "oauthbearer"}, with(login, m{"oauthTokenEndpointUri": "https://idp/token", "oauthExtensions": "a_b=1,auth=2"}),
			scalers.Setting{}, []string{`"a_b"`, `"auth"`}},
		"oauth extension without a value": {m{"sasl": "oauthbearer"}, with(login, m{"oauthTokenEndpointUri": "https://idp/token", "oauthExtensions": "a"}),
			scalers.Setting{}, []string{"oauthExtensions"}},
		"provider":         {m{"sasl": "oauthbearer", "saslTokenProvider": "vault"}, nil, scalers.Setting{}, []string{"saslTokenProvider"}},
		"msk":              {m{"sasl": "aws_msk_iam"}, nil, scalers.Setting{}, []string{"tls must be enable", "awsRegion is missing", "awsAccessKeyID"}},
		"msk by the token": {m{"sasl": "oauthbearer", "saslTokenProvider": "aws_msk_iam"}, nil, scalers.Setting{}, []string{"tls must be enable", "awsRegion is missing"}},
		"msk, no secret":   {m{"sasl": "aws_msk_iam", "tls": "enable", "awsRegion": "r"}, m{"awsAccessKeyID": "A"}, scalers.Setting{}, []string{"awsSecretAccessKey"}},
		"msk, azure": {m{"sasl": "aws_msk_iam", "tls": "enable", "awsRegion": "r"}, nil,
			scalers.Setting{Identity: scalers.Identity{Provider: "azure-workload"}}, []string{"azure-workload is none of AWS"}},
		"kerberos": {m{"sasl": "gssapi"}, nil, scalers.Setting{}, []string{"Kerberos is not supported"}},
		"several": {m{"bootstrapServers": "kafka", "limitToPartitionsWithLag": "true", "version": "x", "sasl": "plaintext", "tls": "enable"}, m{"ca": "x"},
			scalers.Setting{}, []string{`"kafka"`, "limitToPartitionsWithLag", "version", "parameter ca", "username", "password"}},
	} {
		metadata := with(m{"bootstrapServers": "kafka:9092", "consumerGroup": "g"}, tc.metadata)
		for _, typeName := range []string{"kafka", "apache-kafka"} {
			_, _, err := scalers.Decode(typeName, param.Input{Metadata: metadata, Auth: tc.auth}, tc.setting)
			if err == nil || scalers.ClassOf(err) != scalers.Configuration {
				t.Errorf("%s, %s: got %v", typeName, name, err)
				continue
			}
			for _, part := range tc.faults {
				if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s, %s: got %q, want it to tell of %s", typeName, name, err, part)
				}
			}
		}
	}
}

// with is a with what b has.
func with(a, b m) m {
	all := maps.Clone(a)
	if all == nil {
		all = m{}
	}
	maps.Copy(all, b)
	return all
}

func TestKafkaNames(t *testing.T) {
	t.Parallel()
	for topic, want := range map[string]string{"": "kafka-g-topics", "orders": "kafka-orders", "b, a": "kafka-b,a"} {
		for _, typeName := range []string{"kafka", "apache-kafka"} {
			s := lagOf(t, typeName, "b:2,a:1", "g", m{"topic": topic}, nil)
			if s.Stem != want || s.Source.Name != "kafka a:1,b:2" {
				t.Errorf("%s %q: the metric is %s, the source %s", typeName, topic, s.Stem, s.Source.Name)
			}
		}
	}
}

func TestKafkaParametersFromEverywhere(t *testing.T) {
	t.Parallel()
	s, notices, err := scalers.Decode("kafka", param.Input{
		Metadata: m{
			"bootstrapServersFromEnv": "BROKERS", "consumerGroupFromEnv": "GROUP", "topicFromEnv": "TOPIC", "version": "3.9.0",
			"sasl": "aws_msk_iam", "tls": "enable", "awsRegion": "r", "awsAccessKeyIDFromEnv": "ID", "awsSecretAccessKeyFromEnv": "SECRET",
		},
		Env: m{"BROKERS": "a:1,", "GROUP": "g", "TOPIC": "t", "ID": "AKIA", "SECRET": "s"},
	}, scalers.Setting{})
	if err != nil || len(notices) > 0 || s.Stem != "kafka-t" {
		t.Errorf("got %+v, %v, %v", s, notices, err)
	}
}

// TestKafkaSharing tells which triggers share a connection and a read.
func TestKafkaSharing(t *testing.T) {
	t.Parallel()
	ca, err := servers.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	base := lagOf(t, "kafka", "a:1,b:2", "g", m{"topic": "t"}, nil)
	twin := func(typeName, address string, metadata, auth m) *scalers.Scaler {
		return lagOf(t, typeName, address, "g", with(m{"topic": "t"}, metadata), auth)
	}
	for name, tc := range map[string]struct {
		other        *scalers.Scaler
		source, read bool
	}{
		"the same":                        {twin("kafka", "a:1,b:2", nil, nil), true, true},
		"another order of brokers":        {twin("kafka", "b:2,a:1,a:1", nil, nil), true, false},
		"the other type":                  {twin("apache-kafka", "a:1,b:2", nil, nil), true, false},
		"another target, which caps":      {twin("kafka", "a:1,b:2", m{"lagThreshold": "7"}, nil), true, false},
		"another topic":                   {twin("kafka", "a:1,b:2", m{"topic": "u"}, nil), true, false},
		"another broker":                  {twin("kafka", "a:1,c:2", nil, nil), false, false},
		"TLS":                             {twin("kafka", "a:1,b:2", m{"tls": "enable"}, m{"ca": ca.PEM}), false, false},
		"an authority that has no effect": {twin("kafka", "a:1,b:2", nil, m{"ca": ca.PEM}), true, false},
		"a user":                          {twin("kafka", "a:1,b:2", m{"sasl": "plaintext"}, m{"username": "u", "password": "p"}), false, false},
		"a user that has no effect":       {twin("kafka", "a:1,b:2", nil, m{"username": "u", "password": "p"}), true, false},
	} {
		if same := tc.other.Source.Fingerprint == base.Source.Fingerprint; same != tc.source {
			t.Errorf("%s: they share a connection: %v", name, same)
		}
		if same := tc.other.Query == base.Query; same != tc.read {
			t.Errorf("%s: they share a read: %v", name, same)
		}
	}
	every := func(interval time.Duration, exclude string) *scalers.Scaler {
		s, _, err := scalers.Decode("kafka", param.Input{Metadata: m{
			"bootstrapServers": "a:1", "consumerGroup": "g", "topic": "t", "excludePersistentLag": exclude,
		}}, scalers.Setting{PollingInterval: interval})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if every(time.Second, "true").Query == every(time.Minute, "true").Query {
		t.Error("persistence over a second and over a minute are one read")
	}
	if every(time.Second, "false").Query != every(time.Minute, "false").Query {
		t.Error("the polling interval makes two reads where it has no effect")
	}
}
