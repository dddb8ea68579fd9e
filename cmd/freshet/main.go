// Command freshet scales Kubernetes workloads on events. `freshet run` is all
// of it in one process: it polls triggers, serves external metrics to the HPA
// and takes workloads between zero and their first replicas.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	_ "github.com/freshet-io/freshet/scalers/all" // every trigger
)

// version is set by the build; without, it is that of the module.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() { // a second signal ends the process at once
		<-ctx.Done()
		stop()
	}()
	root := &cobra.Command{
		Use:           "freshet",
		Short:         "Event-driven autoscaling for Kubernetes",
		Annotations:   plugin(os.Args[0]),
		Version:       buildVersion(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(runCommand(), validateCommand(), explainCommand(), topCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errFaults) { // the report told
			fmt.Fprintln(os.Stderr, "freshet:", err)
		}
		os.Exit(1)
	}
}

// buildVersion is the version that was built.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "v0.0.0-dev"
}

// buildCommit is the revision that was built, as far as Go recorded it.
func buildCommit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
