package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"berth/sandbox"
	"berth/sandbox/exposure"
)

const (
	pageFile       = "../../docs/settings.md"
	tablesBegin    = "<!-- tables: written by go test ./cmd/berth -run TestSettingsPage -update -->\n"
	tablesEnd      = "<!-- end of tables -->\n"
	scoredSystemd  = 262
	refusedSection = "Refused"
)

// sectionTitles are the headings of the sections that sandbox.Table has.
var sectionTitles = map[string]string{
	"Mounts":        "Files, mounts and namespaces",
	"System calls":  "System calls",
	"Process":       "Capabilities, limits and other attributes of processes",
	"From the host": "Directories, credentials and environment",
	"Journal":       "Journal",
	refusedSection:  "Settings that are refused",
}

// TestSettingsPage compares docs/settings.md with the settings that berth knows
// and the checks of the score.
func TestSettingsPage(t *testing.T) {
	checks := exposure.Assess(exposure.NewUnit(), scoredSystemd).Checks
	compareSection(t, pageFile, tablesBegin, tablesEnd, settingTables(t, checks)+otherChecks(t, checks))
	all := 0
	for _, c := range checks {
		all += c.Weight
	}
	data, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	if sum := fmt.Sprintf("add up to %d", all); !strings.Contains(string(data), sum) {
		t.Errorf("%s doesn't say that the weights %s", pageFile, sum)
	}
}

// settingTables has a table for each section.
func settingTables(t *testing.T, checks []exposure.Check) string {
	var b strings.Builder
	section := ""
	for _, s := range sandbox.Table() {
		if s.Section != section {
			section = s.Section
			title, ok := sectionTitles[section]
			if !ok {
				t.Fatalf("the section %q has no title", section)
			}
			fmt.Fprintf(&b, "\n## %s\n\n", title)
			if section == refusedSection {
				b.WriteString("| setting | since | why, and what there is instead |\n|---|---|---|\n")
			} else {
				b.WriteString("| setting | since | what it does | weight |\n|---|---|---|---|\n")
			}
		}
		if s.Refused != "" {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.Name, since(s), sentence(s.Refused))
		} else {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", settingName(s), since(s), tableCell(s.How), weight(s.Name, checks))
		}
	}
	return b.String()
}

func settingName(s sandbox.Setting) string {
	if s.List {
		return "`" + s.Name + "` …"
	}
	return "`" + s.Name + "`"
}

func since(s sandbox.Setting) string {
	if s.Alias != "" || s.Since == 0 {
		return ""
	}
	return fmt.Sprint(s.Since)
}

// sentence makes one of what an error says. Names of programs stay small.
func sentence(text string) string {
	if !strings.HasPrefix(text, "system") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return tableCell(text + ".")
}

// tableCell escapes what Markdown would read as its own in a table.
func tableCell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`, "~", `\~`, "[", `\[`, "]", `\]`).Replace(text)
}

// weight is what all checks on a setting weigh together.
func weight(name string, checks []exposure.Check) string {
	sum, n := 0, 0
	for _, c := range checks {
		if checkedSetting(c) == name {
			sum, n = sum+c.Weight, n+1
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return fmt.Sprint(sum)
	}
	return fmt.Sprintf("%d in %d checks", sum, n)
}

// checkedSetting is the setting that a check is about: PrivateTmp of
// "PrivateTmp=", SystemCallFilter of "SystemCallFilter=~@swap".
func checkedSetting(c exposure.Check) string {
	name, _, _ := strings.Cut(c.Name, "=")
	return name
}

// otherChecks has a table of the checks on what isn't in [sandbox].
func otherChecks(t *testing.T, checks []exposure.Check) string {
	inContainers := map[string]string{
		"User=/DynamicUser=":        "`process.user`. A container's root counts as root, though it is nobody on the host.",
		"SupplementaryGroups=":      "Never bad: groups come from the container's own `/etc/group`. Doesn't count for root.",
		"RootDirectory=/RootImage=": "Good with `root.directory`.",
		"NotifyAccess=":             "Always good.",
		"Delegate=":                 "Always bad: a container's root manages the cgroups below its own.",
		"IPAddressDeny=":            "`IPAddressDeny` and `IPAddressAllow` in `[resources]`.",
		"DeviceAllow=":              "`DevicePolicy` and `DeviceAllow` in `[resources]`. Good unless they say otherwise.",
	}
	var b strings.Builder
	b.WriteString("\n## Checks of the score on other settings\n\n| check | weight | in a container |\n|---|---|---|\n")
	for _, c := range checks {
		if s, err := sandbox.Lookup(checkedSetting(c)); err == nil && s.Name != "" {
			continue
		}
		text, ok := inContainers[c.Name]
		if !ok {
			t.Errorf("nothing is said of the check %s", c.Name)
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", c.Name, c.Weight, text)
	}
	return b.String() + "\n"
}
