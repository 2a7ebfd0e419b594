package main

import (
	"berth/launcher"

	"github.com/spf13/cobra"
)

func doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [OPTION…]",
		Short: "tell what this host can and can't enforce",
		Long: `Tells what this host offers to containers, and why not where it doesn't: what
the kernel can do, found out by trying; what the settings of [sandbox] and berth
learn need; the file systems that can be ID-mapped; the cgroup controllers; systemd
and what belongs to it. At the end are the settings that can't be enforced here. As
root it can tell more.

Exits with 0 whatever it finds.`,
		Example:           `berth doctor --json | jq '.unenforced[].settings[]'`,
		GroupID:           groupHost,
		Args:              none,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := launcher.Doctor(cmd.Context())
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				return printJSON(out, report)
			}
			return report.WriteText(out, bool(colours(out)))
		},
	}
	registerJSON(cmd, &asJSON)
	return cmd
}
