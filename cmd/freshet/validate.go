package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/freshet-io/freshet/controller/manifests"
)

// errFaults ends the program with status 1 when the report was written.
var errFaults = errors.New("the manifests have faults")

func validateCommand() *cobra.Command {
	var files []string
	var output string
	cmd := &cobra.Command{
		Use:   "validate -f FILE...",
		Short: "Check manifests without a cluster: schema, rules and the parameters of every trigger",
		Long: `Check ScaledObjects, ScaledJobs, TriggerAuthentications and ClusterTriggerAuthentications in files.

Every fault is told with its file, line and field, and parameters that have no effect as warnings. Of a good ScaledObject the
metric names and targets of its HPA are told. Objects that refer to each other are best given together: what a TriggerAuthentication
gives is then checked too, as far as its Secrets are in the files. The exit status is 1 when there is a fault.`,
		Example: `  freshet validate -f scaledobject.yaml
  freshet validate -f manifests/ -o json
  kustomize build . | freshet validate -f -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output is %q: use text or json", output)
			}
			return validate(cmd.OutOrStdout(), cmd.InOrStdin(), files, output == "json")
		},
	}
	cmd.Flags().StringArrayVarP(&files, "filename", "f", nil, "file or folder of manifests, - for standard input; may be repeated")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "form of the report: text or json")
	_ = cmd.MarkFlagRequired("filename") // fails for flags that are not there
	return cmd
}

func validate(out io.Writer, stdin io.Reader, files []string, asJSON bool) error {
	sources, err := manifests.Sources(files, stdin)
	if err != nil {
		return err
	}
	report, err := manifests.Check(sources)
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(report); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	} else {
		report.Write(out)
	}
	if report.Faults() > 0 {
		return errFaults
	}
	return nil
}
