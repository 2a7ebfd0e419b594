package main

import (
	"berth/launcher"

	"github.com/spf13/cobra"
)

func stopCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stop NAME…",
		Short: "stop containers",
		Long: `Sends the payload its stop signal (process.stop_signal) and waits. What is left
after the scope's TimeoutStopSec gets SIGKILL. The same as
systemctl stop berth-NAME.scope.`,
		Example:           "berth stop web",
		GroupID:           groupContainers,
		Args:              some(aName),
		ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(cmd, args, func(name string) error { return launcher.Stop(cmd.Context(), name) })
		},
	}
}

// each does something with every argument, also when it fails with one.
func each(cmd *cobra.Command, args []string, do func(string) error) error {
	var failed error
	for _, arg := range args {
		if err := do(arg); err != nil {
			report(cmd.ErrOrStderr(), err)
			failed = errReported
		}
	}
	return failed
}
