package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"berth/config"
	"berth/launcher"

	"github.com/spf13/cobra"
)

// fileDirs is where a bare NAME is looked up, in this order.
func fileDirs() []string { return []string{"/etc/berth", "/usr/lib/berth"} }

// findFile returns the path that FILE means: itself with a "/" or ending in
// ".toml", else NAME.toml in one of the directories.
func findFile(name string, dirs []string) (string, error) {
	if strings.Contains(name, "/") || strings.HasSuffix(name, ".toml") {
		return name, nil
	}
	var tried []string
	for _, dir := range dirs {
		path := dir + "/" + name + ".toml"
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, nil // what else is wrong with it is seen when it is read
		}
		tried = append(tried, path)
	}
	advice := ""
	for _, here := range []string{name + ".toml", name} {
		if info, err := os.Stat(here); err == nil && info.Mode().IsRegular() {
			advice = fmt.Sprintf("; ./%s is the one in this directory", here)
			break
		}
	}
	return "", fmt.Errorf("cannot find the file of %q: there is neither %s%s", name, strings.Join(tried, " nor "), advice)
}

// fileOptions are the options of the commands that read a file.
type fileOptions struct {
	overrides  config.Overrides
	bestEffort bool
	terminal   bool
}

func (o *fileOptions) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.overrides.Name, "name", "", "call the container `NAME`")
	f.StringVar(&o.overrides.Profile, "profile", "", "take the profile `PROFILE`, a name or a path, in place of the file's")
	f.StringArrayVarP(&o.overrides.Set, "property", "p", nil,
		"let `KEY=VALUE` take the place of what the file says, as process.user=www-data, MemoryMax=1G or ProtectHome=tmpfs; for several keys, several times")
	f.BoolVar(&o.bestEffort, "best-effort", false, "go on without what this host can't enforce, with a warning")
	f.BoolVarP(&o.terminal, "terminal", "t", false,
		"give the payload a terminal, or none with --terminal=false (default: as the file says, else whether berth has one)")
	_ = cmd.RegisterFlagCompletionFunc("name", cobra.NoFileCompletions)
	_ = cmd.RegisterFlagCompletionFunc("profile", completeProfile)
	_ = cmd.RegisterFlagCompletionFunc("property", completeProperty)
}

// load reads the container that FILE and the options describe.
func (o *fileOptions) load(cmd *cobra.Command, file string, command []string) (*config.Container, error) {
	path, err := findFile(file, fileDirs())
	if err != nil {
		return nil, err
	}
	overrides := o.overrides
	overrides.Command = command
	if cmd.Flags().Changed("terminal") {
		overrides.Set = slices.Concat(overrides.Set, []string{fmt.Sprintf("process.terminal=%t", o.terminal)})
	}
	return launcher.Load(cmd.Context(), path, overrides, o.launch())
}

// changes tells whether options take the place of what a file says, but for the
// terminal.
func (o *fileOptions) changes() bool {
	return o.overrides.Name != "" || o.overrides.Profile != "" || len(o.overrides.Set) > 0
}

// launch returns what the launcher is told besides the file.
func (o *fileOptions) launch() launcher.Options {
	return launcher.Options{Terminal: hasTerminal(), Term: os.Getenv("TERM"), BestEffort: o.bestEffort}
}

// hasTerminal tells whether berth is used from a terminal.
func hasTerminal() bool { return launcher.IsTerminal(os.Stdin) && launcher.IsTerminal(os.Stdout) }
