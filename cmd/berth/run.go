package main

import (
	"os"

	"berth/idpool"
	"berth/launcher"

	"github.com/spf13/cobra"
)

func runCommand() *cobra.Command {
	var options fileOptions
	cmd := &cobra.Command{
		Use:   "run [OPTION…] FILE [-- CMD…]",
		Short: "start a container in the foreground",
		Long: `Starts the container that FILE describes, in the scope berth-NAME.scope, and
waits for its end. FILE is a path with a "/" or ending in ".toml"; a bare NAME
means /etc/berth/NAME.toml, else /usr/lib/berth/NAME.toml. CMD takes the place of
the file's process.command.

Signals, standard streams and the terminal are the payload's. What it writes is
in the journal as well, unless it has a terminal.

Exits with the status of the payload: 128+n when signal n ended it. 127 is for a
command that is not there, 126 for one that can't be executed, 125 for any
failure of berth's own.`,
		Example: `berth run web
berth run ./web.toml --name=web2 -p MemoryMax=1G
berth run web -- nginx -t`,
		GroupID:           groupContainers,
		Annotations:       map[string]string{runsPayload: "yes"},
		Args:              oneBeforeDash(aFile),
		ValidArgsFunction: completeFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			words, command := splitArgs(cmd, args)
			c, err := options.load(cmd, words[0], command)
			if err != nil {
				return err
			}
			return ended(newLauncher().Run(cmd.Context(), c, options.launch()))
		},
	}
	options.register(cmd)
	return cmd
}

// newLauncher returns the launcher of this host, with berth's own streams for
// the payload.
func newLauncher() *launcher.Launcher {
	return &launcher.Launcher{
		Pool:  idpool.Default(),
		Stdio: launcher.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr},
		Warn:  func(message string) { warn(os.Stderr, message) },
	}
}
