package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"berth/config"
	"berth/launcher"
	"berth/sandbox/exposure"

	"github.com/spf13/cobra"
)

func securityCommand() *cobra.Command {
	var options securityOptions
	cmd := &cobra.Command{
		Use:   "security [OPTION…] [FILE|NAME]",
		Short: "score how exposed a container is",
		Long: `Scores a container as systemd-analyze security(1) does a service: the same checks
with the same weights, from 0.0 for what is shut in completely to 10.0 for what is
not at all. It takes the options of berth run. A NAME that no file is found for is
a container that runs: it is scored as it was started, with its own options.

The score is that of the service that comes nearest to the container, which --unit
prints: systemd-analyze security --offline=yes gives it the same one. What
protects the host besides, and systemd has no check for, stands below the score.

Without a FILE, --profile is scored for itself.`,
		Example: `berth security web
berth security --profile strict
berth security --threshold 30 ./web.toml && berth run ./web.toml
berth security --unit web >web.service
systemd-analyze security --offline=yes ./web.service`,
		GroupID:           groupFiles,
		Args:              atMost(aFile),
		ValidArgsFunction: completeFile,
		RunE:              options.run,
	}
	options.file.register(cmd)
	f := cmd.Flags()
	f.BoolVar(&options.unit, "unit", false, "print the unit file that is scored, and no score")
	f.IntVar(&options.threshold, "threshold", 100, "fail when the score is above `TENTHS`, from 0 to 100: 30 is 3.0")
	f.IntVar(&options.systemd, "systemd", 0, "score as this `VERSION` of systemd does (default: as the one that runs here)")
	f.Lookup("systemd").DefValue = "" // 0 is no version
	_ = cmd.RegisterFlagCompletionFunc("threshold", cobra.NoFileCompletions)
	_ = cmd.RegisterFlagCompletionFunc("systemd", cobra.NoFileCompletions)
	registerJSON(cmd, &options.asJSON)
	cmd.MarkFlagsMutuallyExclusive("unit", "json")
	return cmd
}

type securityOptions struct {
	file      fileOptions
	unit      bool
	asJSON    bool
	threshold int
	systemd   int
}

func (o *securityOptions) run(cmd *cobra.Command, args []string) error {
	if o.threshold < 0 || o.threshold > 100 {
		return fmt.Errorf("cannot use %d as the threshold: it is from 0 to 100", o.threshold)
	}
	if o.systemd < 0 {
		return fmt.Errorf("cannot score as systemd %d does: there is none", o.systemd)
	}
	c, err := o.container(cmd, args)
	if err != nil {
		return err
	}
	version := o.systemd
	if version == 0 {
		version = launcher.SystemdVersion(cmd.Context())
	}
	out := cmd.OutOrStdout()
	if o.unit {
		text, err := launcher.EquivalentService(c, version)
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, text)
		return err
	}
	s, err := launcher.AssessSecurity(c, version)
	if err != nil {
		return err
	}
	if err := o.print(out, s); err != nil {
		return err
	}
	if s.Report.Exposure > exposure.Score(o.threshold) {
		return fmt.Errorf("container %q is too exposed: its score is %s, above %s", s.Name, s.Report.Exposure, exposure.Score(o.threshold))
	}
	return nil
}

// container is what is scored.
func (o *securityOptions) container(cmd *cobra.Command, args []string) (*config.Container, error) {
	if len(args) == 0 {
		if o.file.overrides.Profile == "" {
			return nil, missing(cmd, "a FILE, a NAME or --profile")
		}
		return launcher.ContainerOf(o.file.overrides.Profile)
	}
	if _, err := findFile(args[0], fileDirs()); err != nil {
		running, notRunning := launcher.RunningContainer(args[0])
		var absent *launcher.NotRunningError
		switch {
		case errors.As(notRunning, &absent) || config.CheckName(args[0]) != nil:
			return nil, err
		case notRunning != nil:
			return nil, notRunning
		case o.file.changes():
			return nil, fmt.Errorf("cannot change what %q was started with: score its file with other options", args[0])
		}
		return running, nil
	}
	return o.file.load(cmd, args[0], nil)
}

func (o *securityOptions) print(w io.Writer, s *launcher.Security) error {
	if o.asJSON {
		return printJSON(w, scoresJSON(s.Report.Checks))
	}
	return printSecurity(w, s)
}

// scoredJSON is a check as systemd-analyze --json has it.
type scoredJSON struct {
	Set         *bool   `json:"set"` // null: the check doesn't apply
	Name        string  `json:"name"`
	Field       string  `json:"json_field"`
	Description string  `json:"description"`
	Exposure    *string `json:"exposure"` // null: none
}

func scoresJSON(checks []exposure.Check) []scoredJSON {
	list := make([]scoredJSON, len(checks))
	for i, c := range checks {
		list[i] = scoredJSON{Name: c.Name, Field: c.Field, Description: c.Description}
		if c.Applies {
			good := c.Good()
			list[i].Set = &good
		}
		if text := share(c); text != "" {
			list[i].Exposure = &text
		}
	}
	return list
}

// share is what a check adds to the score, "" for nothing.
func share(c exposure.Check) string {
	if !c.Applies || c.Good() {
		return ""
	}
	return c.Exposure.String()
}

// Further codes that colour text.
const (
	red   = "31"
	green = "32"
)

// printSecurity prints the checks, those that add most first, and the score.
func printSecurity(w io.Writer, s *launcher.Security) error {
	t := table{head: []string{" ", "NAME", "DESCRIPTION", "EXPOSURE"}}
	checks := slices.Clone(s.Report.Checks)
	slices.SortStableFunc(checks, func(a, b exposure.Check) int { return order(b) - order(a) })
	for _, c := range checks {
		mark, colour := checkMark(c)
		t.rows = append(t.rows, []cell{{mark, colour}, {text: c.Name}, {text: printable(c.Description)}, {text: share(c)}})
	}
	if err := t.print(w); err != nil {
		return err
	}
	p := colours(w)
	score := fmt.Sprintf("%s %s", s.Report.Exposure, s.Report.Rating)
	_, err := fmt.Fprintf(w, "\n→ %s %s, as systemd %d scores it\n",
		p.paint("Overall exposure level for "+printable(s.Name)+":", bold), p.paint(score, ratingColour(s.Report.Rating)), s.Systemd)
	if err != nil || len(s.Beyond) == 0 {
		return err
	}
	fmt.Fprintf(w, "\n%s\n", p.paint("Beyond what is scored", bold))
	for _, line := range s.Beyond {
		if _, err := fmt.Fprintf(w, "  %s\n", line); err != nil {
			return err
		}
	}
	return nil
}

// order puts those checks that don't apply between good and bad ones.
func order(c exposure.Check) int {
	switch {
	case !c.Applies:
		return 0
	case c.Good():
		return -1
	}
	return int(c.Exposure)
}

func checkMark(c exposure.Check) (mark, colour string) {
	switch {
	case !c.Applies:
		return " ", ""
	case c.Good():
		return "✓", green
	}
	return "✗", red
}

func ratingColour(r exposure.Rating) string {
	switch r {
	case exposure.Dangerous, exposure.Unsafe:
		return red
	case exposure.Exposed:
		return yellow
	case exposure.Medium:
		return ""
	}
	return green
}
