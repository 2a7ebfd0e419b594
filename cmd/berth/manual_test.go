package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"berth/config"
	"berth/sandbox"
	"berth/units"
)

const (
	formatFile    = "../../docs/man/berth.toml.5.md"
	settingsBegin = "<!-- settings: written by go test ./cmd/berth -run TestSettings -update -->\n"
	settingsEnd   = "<!-- end of settings -->\n"
	sandboxBegin  = "<!-- sandbox: written by go test ./cmd/berth -run TestSandboxSettings -update -->\n"
	sandboxEnd    = "<!-- end of sandbox -->\n"
)

// TestSettings compares the manual's list of systemd's settings with package
// units.
func TestSettings(t *testing.T) {
	var b strings.Builder
	for _, name := range units.Names() {
		s, err := units.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n**%s**\n\n:   %s\n", name, settingText(s))
	}
	compareSection(t, formatFile, settingsBegin, settingsEnd, b.String()+"\n")
}

// TestSandboxSettings compares the manual's list of settings of systemd.exec(5)
// with package sandbox.
func TestSandboxSettings(t *testing.T) {
	var b strings.Builder
	section := ""
	for _, s := range sandbox.Table() {
		if s.Refused != "" || s.Alias != "" {
			continue
		}
		if s.Section != section {
			section = s.Section
			fmt.Fprintf(&b, "\n## %s\n", sectionTitles[section])
		}
		fmt.Fprintf(&b, "\n**%s**\n\n:   %s\n", s.Name, markdown(s.How))
	}
	compareSection(t, formatFile, sandboxBegin, sandboxEnd, b.String()+"\n")
}

// settingText describes a setting, with what it needs of a host.
func settingText(s units.Setting) string {
	var needs []string
	if s.Controller != "" {
		needs = append(needs, "controller "+s.Controller)
	}
	if s.BPF {
		needs = append(needs, "BPF")
	}
	if s.Since > 252 { // the oldest systemd that berth is tested with
		needs = append(needs, fmt.Sprintf("systemd %d", s.Since))
	}
	text := markdown(s.Doc)
	if len(needs) > 0 {
		text += " (" + strings.Join(needs, ", ") + ")"
	}
	return text
}

// TestFormatExamples holds that the manual's files are right.
func TestFormatExamples(t *testing.T) {
	examples := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(readManual(t), -1)
	if len(examples) == 0 {
		t.Fatal("the manual has no examples")
	}
	for i, example := range examples {
		if _, err := config.Parse(fmt.Sprintf("example-%d.toml", i+1), []byte(example[1]), config.Overrides{}); err != nil {
			t.Errorf("%v\n%s", err, example[1])
		}
	}
}

// TestFormatKeys holds that the keys of the manual exist, in the tables under
// which it has them.
func TestFormatKeys(t *testing.T) {
	table, keys, ofProfile := "", 0, false
	for line := range strings.Lines(readManual(t)) {
		if heading, ok := strings.CutPrefix(line, "# "); ok {
			table, ofProfile = "", heading == "PROFILES\n"
			if strings.HasPrefix(heading, `\[`) {
				table = strings.ReplaceAll(heading, `\`, "")
			}
			continue
		}
		if table == "[resources]\n" || table == "[sandbox]\n" || !strings.HasPrefix(line, "**") || !strings.Contains(line, "** (") {
			continue
		}
		names, _, _ := strings.Cut(line, " (")
		for key := range strings.SplitSeq(strings.ReplaceAll(names, "*", ""), ", ") {
			keys++
			text := []byte(table + key + " = 1979-05-27\n")
			_, err := config.Parse("x.toml", text, config.Overrides{})
			if ofProfile {
				_, err = config.ParseProfile("x.toml", text)
			}
			if err == nil || strings.Contains(err.Error(), "unknown key") || strings.Contains(err.Error(), "not supported") {
				t.Errorf("%s%s: %v", table, key, err)
			}
		}
	}
	if keys < 15 {
		t.Errorf("the manual has only %d keys", keys)
	}
}

func readManual(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(formatFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
