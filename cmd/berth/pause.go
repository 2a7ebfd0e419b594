package main

import (
	"berth/launcher"

	"github.com/spf13/cobra"
)

func pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pause NAME…",
		Short: "hold containers where they are",
		Long: `Stops all processes of a container where they are, as systemctl freeze
berth-NAME.scope does, until berth resume. They keep their memory, and what they
listen to goes unanswered. berth ps shows the container as paused; no command can be
run in it, but berth cp copies. Signals wait. berth stop, and berth kill with
SIGKILL, let it go on to end it; systemctl stop needs systemctl thaw before.`,
		Example:           "berth pause web",
		GroupID:           groupContainers,
		Args:              some(aName),
		ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(cmd, args, func(name string) error { return launcher.Pause(cmd.Context(), name) })
		},
	}
}

func resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume NAME…",
		Short: "let paused containers go on",
		Long: `Undoes berth pause, and systemctl freeze of the scope. What a frozen slice holds
goes on with systemctl thaw of the slice.`,
		Example:           "berth resume web",
		GroupID:           groupContainers,
		Args:              some(aName),
		ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(cmd, args, func(name string) error { return launcher.Resume(cmd.Context(), name) })
		},
	}
}
