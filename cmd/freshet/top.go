package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/why"
)

func topCommand() *cobra.Command {
	var once, all bool
	var output, order string
	a := newAccess()
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show all objects, what needs a look first, live",
		Long: `Show the ScaledObjects of a namespace, or with -A of all, sorted, with their replicas, what their triggers ask for, and
why. It asks Freshet through the API server, with your own kubeconfig: whoever may list ScaledObjects there may ask.`,
		Example: `  freshet top -A
  freshet top -n shop --once
  kubectl freshet top -A -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("--output", output, "text", "json"); err != nil {
				return err
			}
			if err := oneOf("--sort-by", order, why.Orders...); err != nil {
				return err
			}
			client, namespace, err := a.reach()
			if err != nil {
				return err
			}
			if all {
				namespace = ""
			}
			live := !once && output == "text"
			return repeat(cmd, live, func(ctx context.Context) error {
				var list whyv1alpha1.ExplanationList
				if err := ask(ctx, client, namespace, "", &list); err != nil {
					return err
				}
				why.Sort(list.Items, order)
				if output == "json" {
					return printJSON(cmd, &list)
				}
				lines, columns := 0, 0
				if width, height, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
					columns = width
					if live {
						lines = max(1, height-3)
					}
				}
				var table strings.Builder
				why.Table(&table, list.Items, lines, columns)
				show(cmd, live, table.String())
				return nil
			})
		},
	}
	a.addFlags(cmd.Flags())
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "of all namespaces")
	cmd.Flags().BoolVar(&once, "once", false, "show it once and end")
	cmd.Flags().StringVar(&order, "sort-by", "state", "order: state, name or replicas")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "form of the answer: text, or json, which shows it once")
	return cmd
}
