package main

import (
	"strings"

	"berth/launcher"

	"github.com/spf13/cobra"
)

func cpCommand() *cobra.Command {
	var archive bool
	cmd := &cobra.Command{
		Use:   "cp [OPTION…] SRC DST",
		Short: "copy files into or out of a container",
		Long: `Copies a file or a directory with all in it. One of SRC and DST is NAME:PATH, a path
in a running container; a paused one will do. The other is a path of this host (with
a "/" before any colon in it), or - for a tar stream on standard input or output.

As cp -r does: into DST where that is a directory, else to that name; with SRC/. what
is in the directory SRC. What SRC or DST leads to by a symlink is meant, and symlinks
in a directory are copied as symlinks. What is there already is replaced, but no
directory by anything else. Devices, FIFOs, sockets, and what the container's root user
can't read, are left out, with a warning.

What is copied belongs to the container's root user, or on this host to the caller,
whose umask takes from the modes. With --archive owners keep their numbers as the
container has them, and files their setuid and setgid bits: on this host those can be
programs that run as root.

Inside, berth may do what the container's root user may with files: what is read-only
there stays so.`,
		Example: `berth cp web:/etc/nginx/nginx.conf .
berth cp site/. web:/srv/www
tar -c site | berth cp - web:/srv
berth cp web:/var/log - | tar -tv`,
		GroupID:           groupContainers,
		Args:              sourceAndTarget,
		ValidArgsFunction: completePlace,
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := launcher.ParseCopy(args[0], args[1])
			if err != nil {
				return err
			}
			c.Archive = archive
			return newLauncher().Copy(c)
		},
	}
	cmd.Flags().BoolVarP(&archive, "archive", "a", false, "keep owners, as numbers, and all bits of modes")
	return cmd
}

func sourceAndTarget(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return missing(cmd, "SRC")
	case 1:
		return missing(cmd, "DST")
	case 2:
		return nil
	}
	return tooMany(cmd, args[2])
}

// completePlace completes to containers, as NAME:, and leaves paths to the shell.
func completePlace(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if strings.ContainsAny(toComplete, "/:") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	names, _ := completeNames(cmd, nil, toComplete)
	for i := range names {
		names[i] += ":"
	}
	return names, cobra.ShellCompDirectiveNoSpace
}
