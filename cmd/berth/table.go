package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"berth/launcher"

	"github.com/spf13/cobra"
)

// registerJSON adds --json.
func registerJSON(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON")
}

// printJSON prints a value as JSON for people and programs.
func printJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

// The codes that colour text; see console_codes(4), "ECMA-48 Select Graphic
// Rendition".
const (
	bold   = "1"
	yellow = "33"
)

// palette colours text, or leaves it.
type palette bool

// colours tells whether what is written to w may have colours: it is a terminal
// and the user has nothing against it (https://no-color.org).
func colours(w io.Writer) palette {
	f, ok := w.(*os.File)
	return palette(ok && launcher.IsTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}

func (p palette) paint(text, code string) string {
	if !p || code == "" || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// printable replaces what could command the terminal: the container may choose
// names too.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// cell is a field of a table.
type cell struct {
	text  string
	style string // a code to colour it with
}

// table prints rows in columns. Unlike text/tabwriter it can colour.
type table struct {
	head []string
	rows [][]cell
}

func (t *table) add(fields ...string) {
	row := make([]cell, len(fields))
	for i, f := range fields {
		row[i].text = f
	}
	t.rows = append(t.rows, row)
}

// print prints the head and the rows, with two spaces between columns.
func (t *table) print(w io.Writer) error {
	p := colours(w)
	head := make([]cell, len(t.head))
	for i, title := range t.head {
		head[i] = cell{title, bold}
	}
	rows := append([][]cell{head}, t.rows...)
	widths := make([]int, len(head))
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, c := range row {
			b.WriteString(p.paint(c.text, c.style))
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := fmt.Fprint(w, b.String())
	return err
}
