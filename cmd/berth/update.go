package main

import (
	"berth/config"
	"berth/launcher"
	"berth/units"

	"github.com/spf13/cobra"
)

func updateCommand() *cobra.Command {
	var runtime bool
	var u launcher.Update
	cmd := &cobra.Command{
		Use:   "update [OPTION…] NAME KEY=VALUE…",
		Short: "change limits of a running container",
		Long: `Changes settings of [resources] while the container runs, all or none, as systemctl
set-property does. Each takes the place of what was there, as with berth run -p: a
list is given as ["a", "b"], and an empty VALUE resets.

The change ends with the container. With --persist it is also written into the file
that the container was started from: that one key, everything else stays as it is.

berth inspect --json has the settings in force as the unit's properties; its plan,
and the score of berth security, are those of the start.`,
		Example: `berth update web MemoryMax=1G CPUQuota=150%
berth update web --persist TasksMax=500
berth update web 'IPAddressAllow=["localhost", "10.0.0.0/8"]'`,
		GroupID:           groupContainers,
		Args:              nameAndAssignments,
		ValidArgsFunction: completeUpdate,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if u.Settings, err = config.Assign(args[1:]); err != nil {
				return err
			}
			return newLauncher().Update(cmd.Context(), args[0], u)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&runtime, "runtime", false, "change the running container only (the default)")
	f.BoolVar(&u.Persist, "persist", false, "change its file as well")
	f.BoolVar(&u.BestEffort, "best-effort", false, "go on without what this host can't enforce, with a warning")
	cmd.MarkFlagsMutuallyExclusive("runtime", "persist")
	return cmd
}

// nameAndAssignments wants NAME KEY=VALUE….
func nameAndAssignments(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return missing(cmd, string(aName))
	case len(args) == 1:
		return missing(cmd, "KEY=VALUE")
	}
	return aName.check(args[0])
}

// completeUpdate completes to containers, then to the settings that can be changed
// while one runs.
func completeUpdate(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return completeNames(cmd, args, toComplete)
	}
	var found []cobra.Completion
	for _, name := range units.Names() {
		if s, err := units.Lookup(name); err == nil && s.Live {
			found = append(found, cobra.CompletionWithDesc(name+"=", s.Doc))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
