package stream_test

import (
	"context"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestKafkaLag(t *testing.T) {
	t.Parallel()
	c := shared(t)
	topic := c.topic(t, 10, 7, 0)
	group := unique(t, "group")
	c.commit(t, group, topic, 4, 7, 0)
	idle := unique(t, "group")
	partly := unique(t, "group")
	c.commit(t, partly, topic, 10, -1, 0)
	for name, tc := range map[string]struct {
		group            string
		metadata         m
		metric, activity float64
	}{
		"committed":                     {group, m{"topic": topic}, 6, 6},
		"no topic":                      {group, nil, 6, 6},
		"nothing committed, latest":     {idle, m{"topic": topic}, 3, 3},
		"nothing committed, earliest":   {idle, m{"topic": topic, "offsetResetPolicy": "earliest"}, 17, 17},
		"nothing committed, to zero":    {idle, m{"topic": topic, "offsetResetPolicy": "earliest", "scaleToZeroOnInvalidOffset": "true"}, 0, 0},
		"partly committed, latest":      {partly, m{"topic": topic}, 1, 1},
		"partly committed, earliest":    {partly, m{"topic": topic, "offsetResetPolicy": "earliest"}, 7, 7},
		"partly committed, no topic":    {partly, m{"offsetResetPolicy": "earliest"}, 7, 7},
		"partition 0":                   {group, m{"topic": topic, "partitionLimitation": "0"}, 6, 6},
		"partitions 1 to 9":             {idle, m{"topic": topic, "partitionLimitation": "1-9"}, 2, 2},
		"capped":                        {group, m{"topic": topic, "lagThreshold": "1"}, 3, 6},
		"capped by partitions with lag": {group, m{"topic": topic, "lagThreshold": "1", "limitToPartitionsWithLag": "true"}, 1, 6},
		"not capped":                    {group, m{"topic": topic, "lagThreshold": "1", "allowIdleConsumers": "true"}, 6, 6},
		"even":                          {group, m{"topic": topic, "lagThreshold": "4", "ensureEvenDistributionOfPartitions": "true"}, 12, 6},
	} {
		for _, typeName := range []string{"kafka", "apache-kafka"} {
			s := lagOf(t, typeName, c.Addr("PLAINTEXT"), tc.group, tc.metadata, nil)
			v, err := readOne(t, s)
			wantValue(t, typeName+" "+name, scalers.Result{Value: v, Err: err}, tc.metric, tc.activity)
		}
	}
}

// TestKafkaLiveConsumer reads the lag of a group while one of its consumers works.
func TestKafkaLiveConsumer(t *testing.T) {
	t.Parallel()
	c := shared(t)
	topic := c.topic(t, 10)
	group := unique(t, "group")
	consumer := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{c.Addr(servers.KafkaPlain)}, GroupID: group, Topic: topic, StartOffset: kafka.FirstOffset, MaxWait: 100 * time.Millisecond,
	})
	defer consumer.Close()
	s, all := c.lag(t, group, m{"topic": topic, "offsetResetPolicy": "earliest"}), c.lag(t, group, nil)
	conn := scalertest.Open(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	for n := 1; n <= 3; n++ {
		message, err := consumer.FetchMessage(ctx)
		if err == nil {
			err = consumer.CommitMessages(ctx, message)
		}
		if err != nil {
			t.Fatal(err)
		}
		out, err := read(t, conn, s, all)
		if err != nil {
			t.Fatal(err)
		}
		wantValue(t, "the topic", out[0], float64(10-n), float64(10-n))
		wantValue(t, "every topic", out[1], float64(10-n), float64(10-n))
	}
}
