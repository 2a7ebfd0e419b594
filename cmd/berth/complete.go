package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"berth/launcher"
	"berth/profiles"
	"berth/sandbox"
	"berth/units"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// completeName completes the first argument to the name of a container that
// runs, and what follows to nothing.
func completeName(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeNames(cmd, args, toComplete)
}

// completeNames completes to names that are not among the arguments yet.
func completeNames(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names, err := launcher.Names()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(args, name) })
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeFile completes the first argument as completeFiles does, and what
// follows to nothing.
func completeFile(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeFiles(cmd, args, toComplete)
}

func completeFiles(_ *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return fileCompletions(fileDirs(), toComplete)
}

// fileCompletions offers what a bare name may mean and the TOML files here, or
// leaves paths to the shell.
func fileCompletions(dirs []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	here, _ := filepath.Glob("*.toml")
	names := slices.DeleteFunc(slices.Concat(bareNames(dirs), here), func(name string) bool {
		return !strings.HasPrefix(name, toComplete)
	})
	if len(names) == 0 {
		return []cobra.Completion{"toml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// bareNames lists the names that need no path.
func bareNames(dirs []string) []string {
	var names []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), ".toml"); ok && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// completeSignal completes to the names of the signals.
func completeSignal(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []string
	for n := unix.Signal(1); n < 32; n++ {
		names = append(names, unix.SignalName(n))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeProfileArgument completes the first argument to a profile, and what
// follows to nothing.
func completeProfileArgument(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeProfile(cmd, args, toComplete)
}

// completeProfile completes to the names of profiles, each with what it is for,
// or leaves paths to the shell.
func completeProfile(_ *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	for _, e := range profileEntries(profiles.Default()) {
		if strings.HasPrefix(e.Name, toComplete) {
			found = append(found, cobra.CompletionWithDesc(e.Name, e.Description))
		}
	}
	if len(found) == 0 {
		return []cobra.Completion{"toml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeProperty completes to systemd's settings, each with what it does.
func completeProperty(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	for _, name := range slices.Concat(units.Names(), sandbox.Names()) {
		found = append(found, cobra.CompletionWithDesc(name+"=", aboutSetting(name)))
	}
	return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
