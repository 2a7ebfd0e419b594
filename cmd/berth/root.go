package main

import (
	"fmt"

	"berth/internal/nearest"

	"github.com/spf13/cobra"
)

// The groups of commands, in the order of berth --help.
const (
	groupContainers = "containers"
	groupLook       = "look"
	groupFiles      = "files"
	groupHost       = "host"
	groupBerth      = "berth"
)

// newRoot makes the tree of commands.
func newRoot() *cobra.Command {
	cobra.EnableCommandSorting = false
	var version bool
	root := &cobra.Command{
		Use:   "berth COMMAND [OPTION…] [ARGUMENT…]",
		Short: "containers as systemd units",
		Long: `berth starts containers that are described in TOML files, each in a scope of its
own: systemd holds their state, the journal their logs, and systemctl manages
them. See berth.toml(5) for the files.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if version {
				return printVersion(cmd, false)
			}
			printHelp(cmd.ErrOrStderr(), cmd)
			return errReported
		},
	}
	root.Flags().BoolVar(&version, "version", false, "print berth's version")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printHelp(cmd.OutOrStdout(), cmd) })
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand())
	root.AddGroup(
		&cobra.Group{ID: groupContainers, Title: "Containers"},
		&cobra.Group{ID: groupLook, Title: "What runs"},
		&cobra.Group{ID: groupFiles, Title: "Files"},
		&cobra.Group{ID: groupHost, Title: "This host"},
		&cobra.Group{ID: groupBerth, Title: "berth itself"},
	)
	root.AddCommand(
		runCommand(), execCommand(), shellCommand(), stopCommand(), killCommand(),
		pauseCommand(), resumeCommand(), updateCommand(), cpCommand(), bindCommand(), unbindCommand(),
		psCommand(), topCommand(), inspectCommand(), logsCommand(),
		checkCommand(), planCommand(), profilesCommand(), securityCommand(), learnCommand(),
		poolCommand(), doctorCommand(),
		completionCommand(), versionCommand(),
	)
	for _, c := range append(root.Commands(), root) {
		c.DisableFlagsInUseLine = true
		c.Flags().BoolP("help", "h", false, "print this help")
	}
	return root
}

// knownCommand refuses what berth has no command for: the arguments that are
// left over at the root.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	if near, ok := nearest.Word(args[0], names); ok {
		return fmt.Errorf("cannot run command %q: there is none, did you mean %q?", args[0], near)
	}
	return fmt.Errorf("cannot run command %q: there is none; berth --help lists them", args[0])
}

// flagError says where to look, and what to do when an option of the payload's
// command was taken for one of berth's.
func flagError(cmd *cobra.Command, err error) error {
	if before := cmd.Flags().Args(); takesCommand(cmd) && cmd.ArgsLenAtDash() < 0 && len(before) > 1 {
		return needsDash(cmd, before)
	}
	return fmt.Errorf("cannot read the options: %w; see %s --help", err, cmd.CommandPath())
}
