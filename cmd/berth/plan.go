package main

import "github.com/spf13/cobra"

func planCommand() *cobra.Command {
	var options fileOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan [OPTION…] FILE [-- CMD…]",
		Short: "show what a start would do",
		Long: `Shows all that berth run would do with the same arguments, and does nothing: the
unit and its properties, the IDs, the root and the mounts with how the kernel
holds each, the process and its limits. --json adds the same as a configuration
of the OCI runtime specification.`,
		Example: `berth plan web
berth plan web --json | jq .oci`,
		GroupID:           groupFiles,
		Args:              oneBeforeDash(aFile),
		ValidArgsFunction: completeFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			words, command := splitArgs(cmd, args)
			c, err := options.load(cmd, words[0], command)
			if err != nil {
				return err
			}
			plan, err := newLauncher().Plan(cmd.Context(), c, options.launch())
			if err != nil {
				return err
			}
			if asJSON {
				return plan.WriteJSON(cmd.OutOrStdout())
			}
			return plan.WriteText(cmd.OutOrStdout())
		},
	}
	options.register(cmd)
	registerJSON(cmd, &asJSON)
	return cmd
}
