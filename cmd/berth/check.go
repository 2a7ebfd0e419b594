package main

import (
	"errors"
	"fmt"

	"berth/config"
	"berth/launcher"

	"github.com/spf13/cobra"
)

func checkCommand() *cobra.Command {
	var options fileOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [OPTION…] FILE… [-- CMD…]",
		Short: "tell what is wrong with files",
		Long: `Reads files and tells all that is wrong with them, in themselves and on this
host: each error on a line FILE:LINE:COLUMN: key: what is wrong. Starts nothing,
and takes the options of berth run.

Exits with 0 when the files are right, else with 1.`,
		Example: `berth check web
berth check --json ./*.toml`,
		GroupID:           groupFiles,
		Args:              some(aFile),
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			files, command := splitArgs(cmd, args)
			if asJSON {
				return checkJSON(cmd, files, command, &options)
			}
			return each(cmd, files, func(file string) error {
				name, err := check(cmd, file, command, &options)
				if err == nil {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: container %q is right\n", file, name)
				}
				return err
			})
		},
	}
	options.register(cmd)
	registerJSON(cmd, &asJSON)
	return cmd
}

// check returns the name of the container in a file.
func check(cmd *cobra.Command, file string, command []string, options *fileOptions) (name string, err error) {
	c, err := options.load(cmd, file, command)
	if err != nil {
		return "", err
	}
	return c.Name, launcher.Check(cmd.Context(), c, options.launch())
}

// problem is an error in a file, as JSON.
type problem struct {
	File    string `json:"file"`             // or the option of the command line
	Line    int    `json:"line,omitempty"`   // from 1
	Column  int    `json:"column,omitempty"` // from 1, in bytes
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
}

// checkJSON prints what is wrong with all the files as one array.
func checkJSON(cmd *cobra.Command, files, command []string, options *fileOptions) error {
	problems := []problem{}
	for _, file := range files {
		_, err := check(cmd, file, command, options)
		var wrong config.Errors
		switch {
		case errors.As(err, &wrong):
			for _, e := range wrong {
				problems = append(problems, problem{e.Pos.File, e.Pos.Line, e.Pos.Column, e.Key, e.Msg})
			}
		case err != nil:
			problems = append(problems, problem{File: file, Message: err.Error()})
		}
	}
	if err := printJSON(cmd.OutOrStdout(), problems); err != nil {
		return err
	}
	if len(problems) > 0 {
		return errReported
	}
	return nil
}
