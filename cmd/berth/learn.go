package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"berth/config"
	"berth/launcher"
	"berth/learn"

	"github.com/spf13/cobra"
)

func learnCommand() *cobra.Command {
	var options learnOptions
	cmd := &cobra.Command{
		Use:   "learn [OPTION…] FILE [-- CMD…]",
		Short: "find the tightest settings that a container runs with",
		Long: `Runs the container that FILE describes, as berth run does but without the walls of
its sandbox, and records what the payload does: system calls, capabilities, files.
When it ends, prints a profile of the tightest settings under which it still runs,
each with what it is for. The container's file takes it with profile = "./THIS.toml".

What the payload didn't do meanwhile, it may not be able to do afterwards. Put it
to all its work, and end it as it always ends: Ctrl-C is the payload's. Recordings
of several runs can be merged.

Exits with the status of the payload, as berth run does, once the profile is written.`,
		Example: `berth learn web -o /etc/berth/web-profile.toml
berth learn web --record first.json
berth learn web --merge first.json -o web-profile.toml
berth learn web --no-run --merge first.json,second.json`,
		GroupID:           groupFiles,
		Annotations:       map[string]string{runsPayload: "yes"},
		Args:              oneBeforeDash(aFile),
		ValidArgsFunction: completeFile,
		RunE:              options.run,
	}
	options.file.register(cmd)
	f := cmd.Flags()
	f.StringVarP(&options.output, "output", "o", "", "write the profile to `FILE` (default: standard output)")
	f.StringVar(&options.record, "record", "", "write the recording to `FILE`, as JSON, for --merge")
	f.StringSliceVar(&options.merge, "merge", nil, "add the recordings in these `FILES`")
	f.BoolVar(&options.noRun, "no-run", false, "run nothing: make the profile of the recordings of --merge")
	cmd.MarkFlagsMutuallyExclusive("no-run", "record")
	return cmd
}

type learnOptions struct {
	file           fileOptions
	output, record string
	merge          []string
	noRun          bool
}

func (o *learnOptions) run(cmd *cobra.Command, args []string) error {
	if o.noRun && len(o.merge) == 0 {
		return errors.New("cannot learn from nothing: --no-run takes the recordings of --merge")
	}
	words, command := splitArgs(cmd, args)
	c, err := o.file.load(cmd, words[0], command)
	if err != nil {
		return err
	}
	recordings, err := readRecordings(o.merge)
	if err != nil {
		return err
	}
	for _, name := range []string{o.output, o.record} { // before the work
		if _, err := os.Stat(filepath.Dir(name)); err != nil {
			return fmt.Errorf("cannot write %q: %w", name, err)
		}
	}
	status := 0
	if !o.noRun {
		recording, ended, err := newLauncher().Learn(cmd.Context(), c, o.file.launch())
		if err != nil {
			return err
		}
		status = ended
		if err := o.keep(recording); err != nil {
			return err
		}
		recordings = append(recordings, recording)
	}
	if err := o.write(cmd, c, learn.Merge(recordings...)); err != nil {
		return err
	}
	return ended(status, nil)
}

// keep writes the recording of this run, where that is wanted.
func (o *learnOptions) keep(r learn.Recording) error {
	if o.record == "" {
		return nil
	}
	data, err := r.JSON()
	if err != nil {
		return err
	}
	return replaceFile(o.record, data)
}

func (o *learnOptions) write(cmd *cobra.Command, c *config.Container, r learn.Recording) error {
	learned, err := launcher.LearnedFrom(c, r, launcher.SystemdVersion(cmd.Context()))
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if _, err := learned.WriteTo(&text); err != nil {
		return err
	}
	if o.output == "" {
		_, err := io.Copy(cmd.OutOrStdout(), &text)
		return err
	}
	return replaceFile(o.output, text.Bytes())
}

func readRecordings(files []string) ([]learn.Recording, error) {
	var all []learn.Recording
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("cannot read a recording: %w", err)
		}
		r, err := learn.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("cannot read a recording: %q %w", file, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// replaceFile writes a file whole or not at all. What is no regular file, such as
// a pipe, is written to.
func replaceFile(name string, data []byte) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		if err := os.WriteFile(name, data, 0); err != nil {
			return fmt.Errorf("cannot write: %w", err)
		}
		return nil
	}
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".")
	if err != nil {
		return fmt.Errorf("cannot write %q: %w", name, err)
	}
	defer os.Remove(file.Name()) // gone when it has been renamed
	_, err = file.Write(data)
	if err == nil {
		err = file.Chmod(0o644)
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("cannot write %q: %w", name, err)
	}
	return nil
}
