package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"berth/launcher"

	"github.com/spf13/cobra"
)

func logsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logs NAME [OPTION…]",
		Short: "show the journal of a container",
		Long: `Shows what the journal has of a container, whether it runs or not: the messages
of the unit berth-NAME.scope. The options behind NAME are journalctl's.`,
		Example: `berth logs web -f
berth logs web -b --priority=err --output=json`,
		GroupID:            groupLook,
		DisableFlagParsing: true, // they are journalctl's
		ValidArgsFunction:  completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return missing(cmd, string(aName))
			case args[0] == "--help" || args[0] == "-h":
				return cmd.Help()
			case strings.HasPrefix(args[0], "-"):
				return fmt.Errorf("cannot show the logs: the NAME comes before journalctl's options, as in berth logs web %s", args[0])
			}
			if err := aName.check(args[0]); err != nil {
				return err
			}
			return journalctl(args[0], args[1:])
		},
	}
}

// journalctl becomes that program.
func journalctl(name string, options []string) error {
	program, err := exec.LookPath("journalctl")
	if err != nil {
		return fmt.Errorf("cannot show the logs: %w", err)
	}
	argv := append([]string{"journalctl", "--unit=" + launcher.ScopeName(name)}, options...)
	return fmt.Errorf("cannot start %s: %w", program, syscall.Exec(program, argv, os.Environ()))
}
