package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"berth/launcher"
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

// completeFile completes the first argument to a file: one of those that a bare
// name means, or a path to a TOML file.
func completeFile(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeFiles(cmd, args, toComplete)
}

func completeFiles(_ *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if strings.Contains(toComplete, "/") {
		return []cobra.Completion{"toml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	files := bareNames(fileDirs())
	if len(files) == 0 {
		return []cobra.Completion{"toml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	here, _ := filepath.Glob("*.toml")
	dirs, _ := filepath.Glob("*/")
	return slices.Concat(files, here, dirs), cobra.ShellCompDirectiveNoFileComp
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

// completeProperty completes to systemd's settings, each with what it does.
func completeProperty(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	for _, name := range units.Names() {
		if s, err := units.Lookup(name); err == nil {
			found = append(found, cobra.CompletionWithDesc(name+"=", s.Doc))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
