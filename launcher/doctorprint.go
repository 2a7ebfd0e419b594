package launcher

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// colour is the terminal's for a verdict. See console_codes(4), "ECMA-48 Select
// Graphic Rendition".
func (v Verdict) colour() string {
	switch v {
	case VerdictYes:
		return "32" // green
	case VerdictNo:
		return "31" // red
	case VerdictLimited:
		return "33" // yellow
	}
	return "2" // faint
}

// WriteText writes the report for people to read, with colour for a terminal.
func (r *Report) WriteText(w io.Writer, colour bool) error {
	text := &strings.Builder{}
	width := 0
	for _, row := range r.Rows {
		width = max(width, utf8.RuneCountInString(row.Name))
	}
	for i, row := range r.Rows {
		if i == 0 || row.Subject != r.Rows[i-1].Subject {
			fmt.Fprintf(text, "%s%s\n", separator(i), row.Subject)
		}
		line := fmt.Sprintf("  %s  %-*s  %s", paint(row.State, colour), width, plain(row.Name), plain(row.Detail))
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if len(r.Unenforced) > 0 {
		text.WriteString("\nsettings that can't be enforced here; --best-effort goes on without them\n")
	}
	for _, u := range r.Unenforced {
		fmt.Fprintf(text, "  %s:\n", plain(u.Reason))
		for _, line := range fold(u.Settings, 76) {
			fmt.Fprintf(text, "    %s\n", line)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func separator(i int) string {
	if i == 0 {
		return ""
	}
	return "\n"
}

// paint writes a verdict with the width of the longest.
func paint(v Verdict, colour bool) string {
	text := fmt.Sprintf("%-7s", v)
	if !colour {
		return text
	}
	return "\x1b[" + v.colour() + "m" + text + "\x1b[0m"
}

// fold makes lines of words.
func fold(words []string, width int) []string {
	var lines []string
	for _, word := range words {
		last := len(lines) - 1
		if last >= 0 && len(lines[last])+1+len(word) <= width {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}
