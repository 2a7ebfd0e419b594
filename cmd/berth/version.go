package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set at build time with -ldflags "-X main.version=1.2.3". Without,
// it is what Go knows of the module.
var version string

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "version [OPTION…]",
		Short:             "print berth's version",
		Long:              "Prints berth's version, the commit that it was built from and the Go release.",
		GroupID:           groupBerth,
		Args:              none,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return printVersion(cmd, asJSON) },
	}
	registerJSON(cmd, &asJSON)
	return cmd
}

// build is what is known of this program.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // from sources that differ from the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.Version == "" {
		b.Version = strings.Trim(info.Main.Version, "()") // Go calls a build from a checkout "(devel)"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func printVersion(cmd *cobra.Command, asJSON bool) error {
	b := thisBuild()
	if asJSON {
		return printJSON(cmd.OutOrStdout(), b)
	}
	commit := ""
	if b.Commit != "" {
		commit = ", commit " + b.Commit[:min(12, len(b.Commit))]
		if b.Modified {
			commit += " with changes"
		}
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "berth %s (%s, %s%s)\n", b.Version, b.Go, b.Platform, commit)
	return err
}
