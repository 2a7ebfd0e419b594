package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// splitArgs parts what berth is to work on from the command behind "--".
func splitArgs(cmd *cobra.Command, args []string) (words, command []string) {
	dash := cmd.ArgsLenAtDash()
	if dash < 0 {
		return args, nil
	}
	return args[:dash], slices.Clone(args[dash:])
}

// argument is what a command works on, as messages call it.
type argument string

const (
	aFile    argument = "a FILE"
	aName    argument = "a NAME"
	aProfile argument = "a profile"
	aShell   argument = "a SHELL"
)

// check refuses what can be no name of a container: nothing, and paths.
func (a argument) check(word string) error {
	switch {
	case word == "":
		return fmt.Errorf("cannot use %q as %s: it is empty", word, a)
	case a == aName && strings.ContainsAny(word, "/."):
		return fmt.Errorf("cannot use %q as %s: berth ps lists the containers", word, a)
	}
	return nil
}

// oneBeforeDash wants one argument, and a command only behind "--".
func oneBeforeDash(what argument) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		words, command := splitArgs(cmd, args)
		switch {
		case len(words) == 1:
			return what.check(words[0])
		case len(words) == 0:
			return missing(cmd, string(what))
		case command == nil:
			return needsDash(cmd, words)
		}
		return tooMany(cmd, words[1])
	}
}

// exactly wants one argument.
func exactly(what argument) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return missing(cmd, string(what))
		case 1:
			return what.check(args[0])
		}
		return tooMany(cmd, args[1])
	}
}

// atMost wants one argument or none.
func atMost(what argument) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return nil
		case 1:
			return what.check(args[0])
		}
		return tooMany(cmd, args[1])
	}
}

// some wants one argument or more.
func some(what argument) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		words, _ := splitArgs(cmd, args)
		if len(words) == 0 {
			return missing(cmd, string(what))
		}
		for _, word := range words {
			if err := what.check(word); err != nil {
				return err
			}
		}
		return nil
	}
}

func none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return tooMany(cmd, args[0])
	}
	return nil
}

func missing(cmd *cobra.Command, what string) error {
	return fmt.Errorf("cannot run %s: %s is missing; the usage is %s", cmd.CommandPath(), what, cmd.UseLine())
}

func tooMany(cmd *cobra.Command, arg string) error {
	return fmt.Errorf("cannot run %s: %q is one argument too many; the usage is %s", cmd.CommandPath(), arg, cmd.UseLine())
}

func takesCommand(cmd *cobra.Command) bool { return strings.Contains(cmd.Use, "-- CMD") }

// needsDash is the error of a command that stands before "--".
func needsDash(cmd *cobra.Command, args []string) error {
	return fmt.Errorf(`cannot use %q: a command stands behind "--", as in %s %s -- %s …`,
		args[1], cmd.CommandPath(), args[0], args[1])
}
