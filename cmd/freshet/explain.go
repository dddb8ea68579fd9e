package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/why"
)

func explainCommand() *cobra.Command {
	var watch bool
	var since time.Duration
	var output string
	a := newAccess()
	cmd := &cobra.Command{
		Use:   "explain NAMESPACE/NAME",
		Short: "Say why an object was scaled, or was not: one screen",
		Long: `Say what was read for a ScaledObject, what was done, what the HPA will do with it next and when, why there are not more
replicas, why not fewer, and what would change that. Objects that were deleted within the hour are still explained.

It asks Freshet through the API server, with your own kubeconfig: whoever may read the ScaledObject may ask.`,
		Example: `  freshet explain shop/worker
  freshet explain worker -n shop --watch
  kubectl freshet explain shop/worker --since 30m -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("--output", output, "text", "json"); err != nil {
				return err
			}
			client, namespace, err := a.reach()
			if err != nil {
				return err
			}
			namespace, name, err := objectOf(args[0], namespace)
			if err != nil {
				return err
			}
			return repeat(cmd, watch, func(ctx context.Context) error {
				var e whyv1alpha1.Explanation
				if err := ask(ctx, client, namespace, name, &e); err != nil {
					return err
				}
				if output == "json" {
					e.Decisions = why.Since(&e, since)
					return printJSON(cmd, &e)
				}
				show(cmd, watch, why.Screen(&e, since))
				return nil
			})
		},
	}
	a.addFlags(cmd.Flags())
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on, anew every two seconds")
	cmd.Flags().DurationVar(&since, "since", 0, "show all decisions of this time, such as 30m; default: the last eight")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "form of the answer: text or json")
	return cmd
}

// oneOf returns an error when the value of a flag is none of those.
func oneOf(flag, value string, all ...string) error {
	for _, v := range all {
		if v == value {
			return nil
		}
	}
	return fmt.Errorf("%s is %q: use one of %q", flag, value, all)
}

// every is how often a live screen is made anew.
const every = 2 * time.Second

// repeat does it once, or anew until the command ends. A screen that cannot be made
// anew ends it too: what was there before would look as if it were so now.
func repeat(cmd *cobra.Command, live bool, do func(context.Context) error) error {
	const patience = 20 * time.Second
	for {
		ctx, cancel := context.WithTimeout(cmd.Context(), patience)
		err := do(ctx)
		cancel()
		switch {
		case cmd.Context().Err() != nil && live: // ended by the user
			return nil
		case err != nil || !live:
			return err
		}
		select {
		case <-cmd.Context().Done():
			return nil
		case <-time.After(every):
		}
	}
}

// show writes a screen, over the one before when it is live.
func show(cmd *cobra.Command, live bool, screen string) {
	if live {
		fmt.Fprint(cmd.OutOrStdout(), "\x1b[H\x1b[2J")
	}
	fmt.Fprint(cmd.OutOrStdout(), screen)
}
