package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"berth/launcher"

	"github.com/spf13/cobra"
)

func inspectCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect [OPTION…] NAME",
		Short: "show all about a container",
		Long: `Shows a running container: its unit, its processes, IDs, namespaces and mounts.
With --json there is also its plan, the unit's properties and the payload's
restrictions.`,
		Example: `berth inspect web
berth inspect web --json | jq .namespaces`,
		GroupID:           groupLook,
		Args:              exactly(aName),
		ValidArgsFunction: completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := launcher.Inspect(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), found)
			}
			return printInspection(cmd.OutOrStdout(), found)
		},
	}
	registerJSON(cmd, &asJSON)
	return cmd
}

func printInspection(w io.Writer, i *launcher.Inspection) error {
	var b strings.Builder
	p := colours(w)
	line := func(key, format string, args ...any) {
		fmt.Fprintf(&b, "%s  %s\n", p.paint(fmt.Sprintf("%12s", key), bold), fmt.Sprintf(format, args...))
	}
	line("Name", "%s", i.Name)
	line("Description", "%s", printable(i.Description))
	sub := i.Unit.Sub
	if i.Paused {
		sub += ", paused"
	}
	line("State", "%s (%s) since %s", i.Unit.Active, sub, i.Started.Local().Format(time.RFC3339))
	line("Unit", "%s", i.Scope)
	line("Cgroup", "%s", i.Unit.ControlGroup)
	line("Invocation", "%s", i.Unit.InvocationID)
	line("Command", "%s", commandLine(i.Process.Args))
	line("PIDs", "payload %d, PID 1 %d, supervisor %d", i.Payload.PID, i.Leader.PID, i.Supervisor.PID)
	line("Users", "%s", formatMaps(i.UIDMap))
	if !slices.Equal(i.UIDMap, i.GIDMap) {
		line("Groups", "%s", formatMaps(i.GIDMap))
	}
	line("Root", "%s", printable(i.Root))
	line("Network", "%s", i.Network)
	line("Namespaces", "%s", strings.Join(sortedValues(i.Namespaces), " "))
	for n, mount := range i.Mounts {
		key := ""
		if n == 0 {
			key = "Mounts"
		}
		line(key, "%s", printable(formatMount(mount)))
	}
	for n, added := range i.Added {
		key := ""
		if n == 0 {
			key = "Added"
		}
		line(key, "%s", printable(fmt.Sprintf("%-26s %-8s %s", added.Target, added.Type, added.Source)))
	}
	if i.Guarded {
		line("Mountguard", "%s", formatCounts(i.Guard))
	}
	_, err := fmt.Fprint(w, b.String())
	return err
}

// formatCounts prints what has become of system calls, "mount: 3 continued".
func formatCounts(counts []launcher.GuardCount) string {
	if len(counts) == 0 {
		return "has not been asked yet"
	}
	done := map[string]string{"continue": "let through", "perform": "performed", "refuse": "refused"}
	parts := make([]string, len(counts))
	for i, c := range counts {
		parts[i] = fmt.Sprintf("%s: %d %s", c.Call, c.Count, done[string(c.Action)])
	}
	return strings.Join(parts, ", ")
}

// formatMaps prints ID maps as "0-65535 are 524288-589823 here".
func formatMaps(maps []launcher.IDMap) string {
	parts := make([]string, len(maps))
	for i, m := range maps {
		parts[i] = fmt.Sprintf("%d-%d are the host's %d-%d", m.Container, m.Container+m.Size-1, m.Host, m.Host+m.Size-1)
	}
	return strings.Join(parts, ", ")
}

func sortedValues(m map[string]string) []string {
	var values []string
	for _, v := range m {
		values = append(values, v)
	}
	slices.Sort(values)
	return values
}

// formatMount prints a line of mountinfo as "TARGET  TYPE  OPTIONS"; see
// proc_pid_mountinfo(5).
func formatMount(line string) string {
	before, after, found := strings.Cut(line, " - ")
	fields, fs := strings.Fields(before), strings.Fields(after)
	if !found || len(fields) < 6 || len(fs) < 1 {
		return line
	}
	return fmt.Sprintf("%-26s %-8s %s", fields[4], fs[0], fields[5])
}
