package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write what is compared with the commands")

// The part of the reference that is generated stands between these lines.
const (
	referenceFile  = "../../docs/reference.md"
	referenceBegin = "<!-- commands: written by go test ./cmd/berth -run TestReference -update -->\n"
	referenceEnd   = "<!-- end of commands -->\n"
)

// TestReference compares docs/reference.md, which is also berth(1), with the
// commands.
func TestReference(t *testing.T) {
	compareSection(t, referenceFile, referenceBegin, referenceEnd, reference(newRoot()))
}

// compareSection compares what stands between two lines of a file with what
// should, or writes that.
func compareSection(t *testing.T, file, begin, end, want string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(data), begin)
	is, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		t.Fatalf("%s lacks the lines around what is generated", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, is); diff != "" {
		t.Errorf("%s differs from the program, go test -update writes it: -want +got\n%s", file, diff)
	}
}

// reference describes all commands in Markdown, as go-md2man(1) reads it.
func reference(root *cobra.Command) string {
	var b strings.Builder
	for _, group := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", group.Title)
		for _, c := range root.Commands() {
			if c.GroupID == group.ID {
				describe(&b, c)
			}
		}
	}
	b.WriteString("\n")
	return b.String()
}

func describe(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n### berth %s\n\n%s\n", markdown(c.Use), markdown(c.Long))
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			describeFlag(b, f)
		}
	})
	if c.Example != "" {
		fmt.Fprintf(b, "\nExamples:\n\n    %s\n", strings.ReplaceAll(c.Example, "\n", "\n    "))
	}
}

func describeFlag(b *strings.Builder, f *pflag.Flag) {
	argument, usage := pflag.UnquoteUsage(f)
	name := `**\-\-` + f.Name + "**"
	if f.Shorthand != "" {
		name = `**\-` + f.Shorthand + "**, " + name
	}
	if argument != "" {
		name += " *" + markdown(argument) + "*"
	}
	if f.NoOptDefVal == "" && f.DefValue != "" && f.DefValue != "[]" {
		usage += " (default: " + f.DefValue + ")"
	}
	fmt.Fprintf(b, "\n%s\n\n:   %s\n", name, markdown(usage))
}

// markdown escapes what Markdown would read as its own.
func markdown(text string) string {
	return strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`, "[", `\[`, "]", `\]`, "--", `\-\-`).Replace(text)
}

// TestHelp looks at every command as a user does.
func TestHelp(t *testing.T) {
	root := newRoot()
	for _, c := range append(root.Commands(), root) {
		t.Run(c.Name(), func(t *testing.T) {
			help := berth(strings.Fields(strings.TrimPrefix(c.CommandPath(), "berth") + " --help")...)
			if help.Status != 0 || help.Stderr != "" {
				t.Fatalf("got status %d and on stderr %q", help.Status, help.Stderr)
			}
			if c.Short == "" || c.Long == "" || c != root && c.GroupID == "" {
				t.Error("it lacks a short text, a long one or a group")
			}
			if c.Args == nil && !c.DisableFlagParsing {
				t.Error("nothing checks its arguments")
			}
			for line := range strings.Lines(help.Stdout) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 88 {
					t.Errorf("a line of %d columns: %s", n, line)
				}
			}
		})
	}
}

// TestListingsAsJSON holds that what lists can also do so for programs.
func TestListingsAsJSON(t *testing.T) {
	for _, name := range []string{"ps", "inspect", "check", "plan", "profiles", "pool", "doctor", "version"} {
		c, _, err := newRoot().Find([]string{name})
		if err != nil || c.Flags().Lookup("json") == nil {
			t.Errorf("berth %s has no --json", name)
		}
	}
}
