package main

import (
	"fmt"

	"berth/launcher"

	"github.com/spf13/cobra"
)

func bindCommand() *cobra.Command {
	var bind launcher.Bind
	cmd := &cobra.Command{
		Use:   "bind [OPTION…] NAME SOURCE TARGET",
		Short: "add a mount to a running container",
		Long: `Mounts SOURCE, a file or directory of the host, on TARGET in a running container, as
an entry of [[mounts]] does when it starts: with the same defaults, what [sandbox]
says of the paths in it, and locked as [mountguard] says. What is missing of TARGET is
made, as the container's root user would make it. It lasts until berth unbind, until
the container unmounts it, if it may, or until the container ends.`,
		Example: `berth bind web /srv/new /srv/www/new --read-only
berth bind web /srv/upload /srv/upload --option=noexec`,
		GroupID:           groupContainers,
		Args:              nameAnd("SOURCE", "TARGET"),
		ValidArgsFunction: completeBind,
		RunE: func(cmd *cobra.Command, args []string) error {
			bind.Source, bind.Target = args[1], args[2]
			warnings, err := launcher.AddMount(cmd.Context(), args[0], bind)
			for _, w := range warnings {
				warn(cmd.ErrOrStderr(), w)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&bind.ReadOnly, "read-only", "r", false, "let the container only read it")
	f.StringVar(&bind.IDMap, "idmap", "", "show owners as `MAP` says: owner, identity or no, as mounts.idmap (default: owner)")
	f.StringArrayVarP(&bind.Options, "option", "o", nil,
		"mount with `OPTION`, as one of mounts.options; for several, several times")
	_ = cmd.RegisterFlagCompletionFunc("idmap", cobra.FixedCompletions([]cobra.Completion{"owner", "identity", "no"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("option", cobra.NoFileCompletions)
	return cmd
}

func unbindCommand() *cobra.Command {
	var unbind launcher.Unbind
	cmd := &cobra.Command{
		Use:   "unbind [OPTION…] NAME TARGET",
		Short: "take a mount away that was added",
		Long: `Unmounts what berth bind has mounted on TARGET, and nothing else. What the container
has copied from the mount, by a bind mount of its own or a mount namespace, stays, and
so do open files: only the end of the container takes all away.`,
		Example: `berth unbind web /srv/www/new
berth unbind web /srv/upload --lazy`,
		GroupID:           groupContainers,
		Args:              nameAnd("TARGET"),
		ValidArgsFunction: completeUnbind,
		RunE: func(cmd *cobra.Command, args []string) error {
			unbind.Target = args[1]
			return launcher.RemoveMount(cmd.Context(), args[0], unbind)
		},
	}
	cmd.Flags().BoolVarP(&unbind.Lazy, "lazy", "l", false, "also what is in use, or locked in place")
	return cmd
}

// nameAnd wants a NAME and as many arguments more as there are words for.
func nameAnd(words ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return missing(cmd, string(aName))
		case len(args) <= len(words):
			return missing(cmd, words[len(args)-1])
		case len(args) > len(words)+1:
			return tooMany(cmd, args[len(words)+1])
		}
		for i, word := range words {
			if args[i+1] == "" {
				return fmt.Errorf("cannot use %q as %s: it is empty", args[i+1], word)
			}
		}
		return aName.check(args[0])
	}
}

// completeBind completes to a container, and to the host's files. What is in the
// container is not looked at.
func completeBind(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return completeNames(cmd, args, toComplete)
	case 1:
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeUnbind completes to a container, and to what was added to it.
func completeUnbind(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return completeNames(cmd, args, toComplete)
	case 1:
		targets, err := launcher.AddedMounts(cmd.Context(), args[0])
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return targets, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
