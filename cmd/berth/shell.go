package main

import "github.com/spf13/cobra"

func shellCommand() *cobra.Command {
	var options execOptions
	cmd := &cobra.Command{
		Use:   "shell [OPTION…] NAME",
		Short: "open a shell in a container",
		Long: `Starts the login shell of a user in a running container, as berth exec would.

Exits as berth run does.`,
		Example: `berth shell web
berth shell web --user=www-data`,
		GroupID:           groupContainers,
		Annotations:       map[string]string{runsPayload: "yes"},
		Args:              exactly(aName),
		ValidArgsFunction: completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			e := options.exec(cmd)
			e.LoginShell = true
			return ended(newLauncher().Exec(cmd.Context(), args[0], e))
		},
	}
	options.register(cmd)
	return cmd
}
