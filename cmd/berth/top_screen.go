package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"berth/launcher"
)

// frame is how many lines of the screen are no rows: a title, the heads of the
// columns, and the line at the bottom.
const frame = 3

// screen draws the model, as many lines as there are and none longer than the
// terminal is wide.
func (m *topModel) screen() string {
	if m.width < 1 || m.height < 1 {
		return ""
	}
	lines := m.containerLines()
	switch {
	case m.help:
		lines = m.helpLines()
	case m.container != "":
		lines = m.processLines()
	}
	room := max(m.height-1, 1)
	for len(lines) < room {
		lines = append(lines, "")
	}
	lines = lines[:room]
	if m.height > 1 {
		lines = append(lines, m.bottom())
	}
	return strings.Join(lines, "\n")
}

// line cuts plain text to the terminal's width, and paints it then.
func (m *topModel) line(text, style string) string {
	return m.colours.paint(shorten(text, m.width), style)
}

func (m *topModel) title(left string) string {
	right := m.sample.Time.Local().Format("15:04:05")
	gap := m.width - utf8.RuneCountInString(left) - len(right)
	if gap < 1 {
		return m.line(left, "")
	}
	return left + strings.Repeat(" ", gap) + right
}

func (m *topModel) sorting() string {
	if m.reversed {
		return "by " + m.order.name + ", reversed"
	}
	return "by " + m.order.name
}

func (m *topModel) containerLines() []string {
	rows := m.rows()
	title := fmt.Sprintf("%s, %s, every %s", plural(len(rows), "container"), m.sorting(), m.interval)
	if m.filter != "" {
		title = fmt.Sprintf("%d of %s with %q, %s", len(rows), plural(len(m.sample.Containers), "container"), m.filter, m.sorting())
	}
	columns, names := fitColumns(topColumns(), rows, m.width-1) // the cursor's place is before them
	lines := []string{m.title("berth top: " + title), m.head(columns, names)}
	for i := m.first; i < min(m.first+m.space(), len(rows)); i++ {
		lines = append(lines, m.row(columns, names, &rows[i], i == m.index))
	}
	return lines
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// fitColumns leaves columns out until the others have room, and returns them with
// the width of names.
func fitColumns(columns []column, rows []launcher.Usage, width int) ([]column, int) {
	longest := 4
	for i := range rows {
		longest = max(longest, len(rows[i].Name))
	}
	needed := func() int {
		sum := 0
		for _, c := range columns[1:] {
			sum += 1 + max(c.width, -c.width)
		}
		return sum
	}
	const enough = 16 // for most names
	for len(columns) > 1 && min(longest, enough)+needed() > width {
		least := slices.MaxFunc(columns, func(a, b column) int { return cmp.Compare(a.rank, b.rank) })
		columns = slices.DeleteFunc(columns, func(c column) bool { return c.rank == least.rank })
	}
	return columns, max(min(longest, width-needed()), 0)
}

func (m *topModel) head(columns []column, names int) string {
	text := " "
	for i, c := range columns {
		text += place(c.title, c.width, names, i)
	}
	return m.line(text, bold)
}

// row draws a container. The cursor is a character, so that it is seen without
// colours.
func (m *topModel) row(columns []column, names int, u *launcher.Usage, here bool) string {
	text, style := " ", ""
	if here {
		text, style = ">", bold
	}
	text = m.colours.paint(text, style)
	for i, c := range columns {
		field := c.cell(u, m.sample.Time)
		text += m.colours.paint(place(field.text, c.width, names, i), cmp.Or(field.style, style))
	}
	return text
}

// place puts a field into its column, behind a space but for the first one. Like
// fmt's, a negative width is to the left.
func place(text string, width, names, column int) string {
	switch {
	case column == 0 && names == 0:
		return ""
	case column == 0:
		return fmt.Sprintf("%-*s", names, shorten(text, names))
	}
	return fmt.Sprintf(" %*s", width, shorten(text, max(width, -width)))
}

func (m *topModel) processLines() []string {
	list := slices.Clone(m.processes.list)
	slices.SortStableFunc(list, func(a, b launcher.TaskUsage) int {
		if m.reversed {
			a, b = b, a
		}
		switch m.order.name {
		case "memory":
			return cmp.Compare(b.Memory, a.Memory)
		case "name":
			return cmp.Compare(a.Command, b.Command)
		}
		return moreFirst(a.CPU, b.CPU)
	})
	count := strconv.Itoa(len(list)) + " processes"
	switch {
	case !m.processes.read:
		count = "processes"
	case m.processes.more:
		count = "the first " + count
	case len(list) == 1:
		count = "1 process"
	}
	lines := []string{m.title("berth top: " + m.container + ": " + count + ", " + m.sorting()), m.line("     PID   CPU%  MEMORY  COMMAND", bold)}
	if err := m.processes.err; err != nil {
		return append(lines, m.line("berth: "+printable(err.Error()), yellow))
	}
	for _, p := range list[min(m.first, len(list)):min(m.first+m.space(), len(list))] {
		text := fmt.Sprintf("%8d %6s %7s  %s", p.PID, percent(p.CPU), formatBytes(p.Memory), printable(p.Command))
		lines = append(lines, m.line(text, ""))
	}
	return lines
}

func (m *topModel) helpLines() []string {
	text := []string{"berth top: keys", ""}
	for _, o := range orders() {
		text = append(text, fmt.Sprintf("%-12s sort by %s", o.key, o.name))
	}
	text = append(text,
		"r            reverse the order",
		"/            show only names with a text in them; Esc shows all",
		"Up, Down     move; also k, j, PgUp, PgDn, Home, End",
		"Enter        the processes of the container; Enter or Esc goes back",
		"Ctrl-Z       suspend",
		"q, Ctrl-C    quit",
	)
	for i := range text {
		text[i] = m.line(text[i], "")
	}
	return text
}

// bottom is the last line: what is being typed, what has gone wrong, or the keys.
func (m *topModel) bottom() string {
	switch {
	case m.typing:
		return m.line("filter: "+m.filter+"_", "")
	case m.err != nil:
		return m.line("berth: "+printable(m.err.Error()), yellow)
	case m.help:
		return m.line("any key goes back", "")
	case m.container != "":
		return m.line("c cpu  m memory  n name  r reverse  Esc back  q quit", "")
	}
	return m.line("c cpu  m memory  t tasks  i io  p pressure  g refused  n name  / filter  Enter processes  ? help  q quit", "")
}
