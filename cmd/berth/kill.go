package main

import (
	"fmt"
	"syscall"

	"berth/config"
	"berth/launcher"

	"github.com/spf13/cobra"
)

func killCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "kill [OPTION…] NAME…",
		Short: "send a signal to the payload of containers",
		Long: `Sends one signal to the container's payload, and to no other process in it.
systemctl kill berth-NAME.scope reaches all of them.`,
		Example: `berth kill web -s HUP
berth kill web --signal=SIGKILL`,
		GroupID:           groupContainers,
		Args:              some(aName),
		ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			signal, err := config.Signal(name)
			if err != nil {
				return fmt.Errorf("cannot kill: %w", err)
			}
			return each(cmd, args, func(name string) error {
				return launcher.Kill(cmd.Context(), name, syscall.Signal(signal))
			})
		},
	}
	cmd.Flags().StringVarP(&name, "signal", "s", "SIGTERM", "send `SIGNAL`, by name or number")
	_ = cmd.RegisterFlagCompletionFunc("signal", completeSignal)
	return cmd
}
