// Package all registers every trigger family. A program that wants fewer
// imports the families it wants instead.
package all

import (
	_ "github.com/freshet-io/freshet/scalers/kube"    // cpu, memory, cron, kubernetes-workload, kubernetes-resource
	_ "github.com/freshet-io/freshet/scalers/observe" // prometheus
	_ "github.com/freshet-io/freshet/scalers/store"   // redis
)
