package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"berth/config"
	"berth/launcher"
	"berth/profiles"
	"berth/sandbox"
	"berth/units"

	"github.com/spf13/cobra"
)

func profilesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "profiles [OPTION…] [NAME]",
		Short: "list the profiles, or show one",
		Long: `Lists the profiles that a file or --profile can name: those built in, and those
of /etc/berth/profiles and /usr/lib/berth/profiles, of which one hides a later one
of the same name.

With a NAME, which may be a path, it shows all settings of that profile and of
those that it extends, each with what it protects from and where it stands. A
setting that a later one replaces is left out. What is shown is a profile itself:
a beginning for one of your own.`,
		Example: `berth profiles
berth profiles strict
berth profiles strict >/etc/berth/profiles/mine.toml`,
		GroupID:           groupFiles,
		Args:              atMost(aProfile),
		ValidArgsFunction: completeProfileArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			if len(args) == 0 {
				return listProfiles(out, profiles.Default(), asJSON)
			}
			p, err := launcher.LoadProfile(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(out, describeProfile(p))
			}
			_, err = io.WriteString(out, profileText(describeProfile(p)))
			return err
		},
	}
	registerJSON(cmd, &asJSON)
	return cmd
}

// profileEntry is a profile in the list, as JSON.
type profileEntry struct {
	Name        string `json:"name"`
	Source      string `json:"source,omitempty"` // its file; "profile NAME" when built in
	Builtin     bool   `json:"builtin"`
	Description string `json:"description"`
	Error       string `json:"error,omitempty"` // why it can't be used
}

func listProfiles(w io.Writer, search profiles.Search, asJSON bool) error {
	entries := profileEntries(search)
	if asJSON {
		return printJSON(w, entries)
	}
	t := &table{head: []string{"NAME", "DESCRIPTION", "SOURCE"}}
	for _, e := range entries {
		source := e.Source
		if e.Builtin {
			source = "built in"
		}
		description := e.Description
		if e.Error != "" {
			first, _, _ := strings.Cut(e.Error, "\n")
			description = "cannot be used: " + first
		}
		t.add(e.Name, cmp.Or(printable(description), "-"), cmp.Or(source, "-"))
	}
	return t.print(w)
}

func profileEntries(search profiles.Search) []profileEntry {
	var entries []profileEntry
	for _, name := range search.Names() {
		p, err := search.Load(name)
		if err != nil {
			entries = append(entries, profileEntry{Name: name, Error: err.Error()})
			continue
		}
		entries = append(entries, profileEntry{name, p.File(), p.Builtin, p.Description, ""})
	}
	return entries
}

// profileDescription is all about a profile, as JSON.
type profileDescription struct {
	profileEntry
	BuildsOn  []string         `json:"builds_on,omitempty"` // the sources, the first one last
	HostUsers bool             `json:"host_users"`          // users.map = "host" is allowed
	Sandbox   []profileSetting `json:"sandbox"`
	Resources []profileSetting `json:"resources"`
}

// profileSetting is what one file of a profile says about a setting.
type profileSetting struct {
	Name         string   `json:"name"`
	Values       []string `json:"values"` // assignments, in the syntax of unit files
	ProtectsFrom string   `json:"protects_from,omitempty"`
	Source       string   `json:"source"`
	Line         int      `json:"line"`
}

func describeProfile(p *profiles.Profile) profileDescription {
	d := profileDescription{
		profileEntry: profileEntry{Name: p.Name, Source: p.File(), Builtin: p.Builtin, Description: p.Description},
		HostUsers:    p.HostUsers,
		Sandbox:      describeSettings(p, launcher.EffectiveSandbox(p)),
		Resources:    describeSettings(p, launcher.EffectiveResources(p)),
	}
	for _, l := range slices.Backward(p.Layers[:len(p.Layers)-1]) {
		d.BuildsOn = append(d.BuildsOn, l.File)
	}
	return d
}

func describeSettings(p *profiles.Profile, settings []config.Setting) []profileSetting {
	described := []profileSetting{}
	for _, s := range settings {
		described = append(described, profileSetting{
			Name: s.Name, Values: s.Values, Source: s.Pos.File, Line: s.Pos.Line,
			ProtectsFrom: cmp.Or(p.Comment(s), aboutSetting(s.Name)),
		})
	}
	return described
}

// aboutSetting says what a setting is, where no profile says what it protects
// from.
func aboutSetting(name string) string {
	if s, err := sandbox.Lookup(name); err == nil {
		return s.How
	}
	if s, err := units.Lookup(name); err == nil {
		return s.Doc
	}
	return ""
}

// profileText writes a profile and all that it builds on as one.
func profileText(d profileDescription) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s", printable(cmp.Or(d.Source, d.Name)))
	if len(d.BuildsOn) > 0 {
		fmt.Fprintf(&b, ", which extends %s", printable(strings.Join(d.BuildsOn, ", which extends ")))
	}
	b.WriteString("\n")
	if d.HostUsers {
		b.WriteString("# users.map = \"host\" is allowed, to profiles that extend trusted alone\n")
	}
	if d.Description != "" {
		fmt.Fprintf(&b, "\ndescription = %s\n", tomlString(d.Description))
	}
	writeSettings(&b, "sandbox", d.Sandbox, len(d.BuildsOn) > 0)
	writeSettings(&b, "resources", d.Resources, len(d.BuildsOn) > 0)
	return b.String()
}

// writeSettings writes a table. What several files say about one setting becomes
// an array.
func writeSettings(b *strings.Builder, table string, settings []profileSetting, sources bool) {
	if len(settings) == 0 {
		return
	}
	fmt.Fprintf(b, "\n[%s]\n", table)
	var written []string
	for i, s := range settings {
		if slices.Contains(written, s.Name) {
			continue
		}
		written = append(written, s.Name)
		if i > 0 {
			b.WriteString("\n")
		}
		same := slices.DeleteFunc(slices.Clone(settings), func(o profileSetting) bool { return o.Name != s.Name })
		if len(same) == 1 && len(s.Values) == 1 {
			writeComment(b, "", s, sources)
			fmt.Fprintf(b, "%s = %s\n", s.Name, tomlString(s.Values[0]))
			continue
		}
		fmt.Fprintf(b, "%s = [\n", s.Name)
		for _, part := range same {
			writeComment(b, "    ", part, sources)
			for _, v := range part.Values {
				fmt.Fprintf(b, "    %s,\n", tomlString(v))
			}
		}
		b.WriteString("]\n")
	}
}

func writeComment(b *strings.Builder, indent string, s profileSetting, sources bool) {
	text := printable(s.ProtectsFrom)
	if sources {
		text = strings.TrimPrefix(fmt.Sprintf("%s (%s:%d)", text, printable(s.Source), s.Line), " ")
	}
	if text != "" {
		fmt.Fprintf(b, "%s# %s\n", indent, text)
	}
}

// tomlString writes a string as TOML has it, harmless to a terminal.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
