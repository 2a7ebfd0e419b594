package main

import (
	"os"
	"strings"

	"berth/launcher"

	"github.com/spf13/cobra"
)

func execCommand() *cobra.Command {
	var options execOptions
	cmd := &cobra.Command{
		Use:   "exec [OPTION…] NAME -- CMD…",
		Short: "run a command in a container",
		Long: `Runs CMD in a running container: in all its namespaces, its cgroup and its
restrictions, as the user and in the directory of its payload. It ends when berth
does.

Exits as berth run does.`,
		Example: `berth exec web -- nginx -s reload
berth exec web --user=root -- ls -l /srv/www
echo 'select 1' | berth exec db -- psql`,
		GroupID:           groupContainers,
		Annotations:       map[string]string{runsPayload: "yes"},
		Args:              nameAndCommand,
		ValidArgsFunction: completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			words, command := splitArgs(cmd, args)
			e := options.exec(cmd)
			e.Args = command
			return ended(newLauncher().Exec(cmd.Context(), words[0], e))
		},
	}
	options.register(cmd)
	return cmd
}

// nameAndCommand wants NAME -- CMD….
func nameAndCommand(cmd *cobra.Command, args []string) error {
	if err := oneBeforeDash(aName)(cmd, args); err != nil {
		return err
	}
	if _, command := splitArgs(cmd, args); len(command) == 0 {
		return missing(cmd, "a command")
	}
	return nil
}

// execOptions are the options of the commands that enter a container.
type execOptions struct {
	user, directory string
	environment     []string
	terminal        bool
}

func (o *execOptions) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.user, "user", "u", "", "be `USER[:GROUP]`, names or numbers inside the container")
	f.StringVarP(&o.directory, "working-directory", "w", "", "start in `DIR`, a path inside the container")
	f.StringArrayVarP(&o.environment, "setenv", "E", nil,
		"set the environment variable `NAME[=VALUE]`, without a value to what berth has; for several, several times")
	f.BoolVarP(&o.terminal, "terminal", "t", false,
		"use a terminal, or none with --terminal=false (default: whether berth has one)")
	for _, name := range []string{"user", "working-directory", "setenv"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}

// exec returns what the options say.
func (o *execOptions) exec(cmd *cobra.Command) launcher.Exec {
	e := launcher.Exec{User: o.user, Dir: o.directory, Terminal: o.terminal, Term: os.Getenv("TERM")}
	if !cmd.Flags().Changed("terminal") {
		e.Terminal = hasTerminal()
	}
	for _, variable := range o.environment {
		if !strings.Contains(variable, "=") {
			value, set := os.LookupEnv(variable)
			if !set {
				continue
			}
			variable += "=" + value
		}
		e.Env = append(e.Env, variable)
	}
	return e
}
