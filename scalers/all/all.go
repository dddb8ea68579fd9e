// Package all registers every trigger family. A program that wants fewer
// imports the families it wants instead.
package all

import (
	_ "github.com/freshet-io/freshet/scalers/azure"    // azure-queue
	_ "github.com/freshet-io/freshet/scalers/external" // external, external-push
	_ "github.com/freshet-io/freshet/scalers/kube"     // cpu, cron, kubernetes-resource, kubernetes-workload, memory
	_ "github.com/freshet-io/freshet/scalers/observe"  // metrics-api, prometheus
	_ "github.com/freshet-io/freshet/scalers/queue"    // rabbitmq
	_ "github.com/freshet-io/freshet/scalers/store"    // redis, redis-cluster, redis-sentinel, and each with -streams
	_ "github.com/freshet-io/freshet/scalers/stream"   // apache-kafka, kafka
)
