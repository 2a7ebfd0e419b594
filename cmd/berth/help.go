package main

import (
	"fmt"
	"io"
	"strings"

	"berth/internal/nearest"

	"github.com/spf13/cobra"
)

// helpWidth is what the texts are wrapped to, in columns.
const helpWidth = 88

// printHelp prints what --help does. It is no template, since those cost
// start-up time.
func printHelp(w io.Writer, cmd *cobra.Command) {
	fmt.Fprintf(w, "%s: %s\n\nUsage: %s\n\n%s\n", cmd.CommandPath(), cmd.Short, cmd.UseLine(), cmd.Long)
	for _, group := range cmd.Groups() {
		fmt.Fprintf(w, "\n%s:\n", group.Title)
		for _, c := range cmd.Commands() {
			if c.GroupID == group.ID {
				fmt.Fprintf(w, "  %-30s %s\n", strings.Replace(c.Use, " [OPTION…]", "", 1), c.Short)
			}
		}
	}
	if flags := cmd.LocalFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(w, "\nOptions:\n%s", flags.FlagUsagesWrapped(helpWidth))
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", indent(cmd.Example))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\n%s COMMAND --help tells more; so do berth(1) and berth.toml(5).\n", cmd.Name())
	}
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }

// helpCommand is for those who type "berth help run". It is not listed.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "help [COMMAND]",
		Short:  "print the help of a command",
		Long:   "Prints what berth COMMAND --help does.",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Root().Help()
			}
			var names []string
			for _, c := range cmd.Root().Commands() {
				if c.Name() == args[0] {
					return c.Help()
				}
				names = append(names, c.Name())
			}
			if near, ok := nearest.Word(args[0], names); ok {
				return fmt.Errorf("cannot help with %q: there is no such command, did you mean %q?", args[0], near)
			}
			return fmt.Errorf("cannot help with %q: there is no such command", args[0])
		},
	}
}
