package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"berth/launcher"

	"github.com/spf13/cobra"
)

func psCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ps [OPTION…]",
		Short: "list the containers",
		Long: `Lists the containers that systemd has a scope of, and those that are starting.
TASKS and MEMORY are counted by the cgroup controllers, where this host has them.`,
		GroupID:           groupLook,
		Args:              none,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := launcher.List(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), append([]launcher.Summary{}, list...))
			}
			return psTable(list, time.Now()).print(cmd.OutOrStdout())
		},
	}
	registerJSON(cmd, &asJSON)
	return cmd
}

func psTable(list []launcher.Summary, now time.Time) *table {
	t := &table{head: []string{"NAME", "STATE", "SINCE", "PID", "IDS", "TASKS", "MEMORY", "COMMAND"}}
	for _, s := range list {
		t.add(s.Name, s.State, age(s.Started, now), optional(uint64(s.PID)), optional(uint64(s.Base)),
			counted(s.Tasks, func(n uint64) string { return strconv.FormatUint(n, 10) }),
			counted(s.Memory, formatBytes), cmp.Or(commandLine(s.Command), "-"))
		row := t.rows[len(t.rows)-1]
		if s.State != "running" {
			row[1].style = yellow
		}
	}
	return t
}

// optional prints a number that 0 means nothing for.
func optional(n uint64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatUint(n, 10)
}

// counted prints what may not be counted.
func counted(n *uint64, format func(uint64) string) string {
	if n == nil {
		return "-"
	}
	return format(*n)
}

// age prints a time span by its two largest units: 3h12m.
func age(since, now time.Time) string {
	if since.IsZero() {
		return "-"
	}
	d := max(now.Sub(since), 0)
	days, hours, minutes, seconds := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm%ds", minutes, seconds)
	}
	return fmt.Sprintf("%ds", seconds)
}

// formatBytes prints a size with systemd's suffixes, which count in 1024s.
func formatBytes(n uint64) string {
	size, unit := float64(n), "B"
	for _, next := range []string{"K", "M", "G", "T", "P", "E"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, next
	}
	return strconv.FormatFloat(size, 'f', precision(size, unit), 64) + unit
}

func precision(size float64, unit string) int {
	if unit == "B" || size >= 100 {
		return 0
	}
	return 1
}

// commandLine prints arguments on one line, each quoted where it needs to be.
// What the container chose to be called can't command the terminal.
func commandLine(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if arg == "" || strings.ContainsFunc(arg, needsQuotes) {
			words[i] = strconv.Quote(arg)
		}
	}
	return shorten(strings.Join(words, " "), 60)
}

func needsQuotes(r rune) bool {
	return r <= ' ' || r == '"' || r == '\\' || r == utf8.RuneError || !strconv.IsPrint(r)
}

// shorten cuts a text to a number of characters.
func shorten(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}
