package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "print a script that completes berth's arguments",
		Long: `Prints the completion script for SHELL: bash, zsh or fish. make install puts them
where the shells look.`,
		Example: `source <(berth completion bash)
berth completion zsh > "${fpath[1]}/_berth"
berth completion fish > ~/.config/fish/completions/berth.fish`,
		GroupID:   groupBerth,
		Args:      exactly(aShell),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(out, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(out)
			case "fish":
				return cmd.Root().GenFishCompletion(out, true)
			}
			return fmt.Errorf("cannot complete for %q: it must be bash, zsh or fish", args[0])
		},
	}
}
