package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"berth/launcher"

	tea "charm.land/bubbletea/v2"
)

// topModel is the state of the live view. Messages change it, and screen draws it:
// neither knows a terminal.
type topModel struct {
	take     func(container string) tea.Msg // a sampleMsg, with the processes of container unless that is ""
	look     func(container string) tea.Msg // a processesMsg
	interval time.Duration
	colours  palette

	width, height int
	sample        launcher.Sample
	err           error // of the last attempt to take a sample
	order         topOrder
	reversed      bool
	filter        string
	typing        bool // the filter
	help          bool

	selected string // the container that the cursor stays on; "": it is on the first one
	index    int    // of the cursor among the rows
	first    int    // row on the screen

	container string // whose processes are shown; "": none
	processes processesMsg
}

// What the commands of the model tell it.
type (
	sampleMsg struct {
		sample    launcher.Sample
		err       error
		processes processesMsg
	}
	processesMsg struct {
		container string
		read      bool // false: they are being read
		list      []launcher.TaskUsage
		more      bool
		err       error
	}
	tickMsg struct{}
)

// watchTop shows the live view until it is quit.
func watchTop(ctx context.Context, o topOptions, colours palette) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m, err := newTopModel(ctx, new(launcher.Top), o, colours)
	if err != nil {
		return err
	}
	if _, err := tea.NewProgram(m, tea.WithContext(ctx)).Run(); err != nil {
		return fmt.Errorf("cannot go on with the live view: %w", err)
	}
	return nil
}

// newTopModel takes the first sample, so that a host without systemd is told
// without a screen. The model takes the others.
func newTopModel(ctx context.Context, top sampler, o topOptions, colours palette) (*topModel, error) {
	order, err := orderNamed(o.sort)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex // commands run beside each other
	look := func(container string) processesMsg {
		msg := processesMsg{container: container, read: true}
		if container != "" {
			msg.list, msg.more, msg.err = top.Processes(container)
		}
		return msg
	}
	m := &topModel{interval: o.interval, colours: colours, order: order}
	m.look = func(container string) tea.Msg {
		mu.Lock()
		defer mu.Unlock()
		return look(container)
	}
	m.take = func(container string) tea.Msg {
		mu.Lock()
		defer mu.Unlock()
		sample, err := top.Sample(ctx)
		return sampleMsg{sample, err, look(container)}
	}
	m.sample, err = top.Sample(ctx)
	return m, err
}

// Init asks for the second sample soon: there are no rates before it.
func (m *topModel) Init() tea.Cmd { return tick(min(m.interval, 500*time.Millisecond)) }

func tick(after time.Duration) tea.Cmd {
	return tea.Tick(after, func(time.Time) tea.Msg { return tickMsg{} })
}

// Update takes a message in. There is always either a sample being taken or a tick
// to come.
func (m *topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var next tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tickMsg:
		container := m.container
		next = func() tea.Msg { return m.take(container) }
	case sampleMsg:
		if m.err = msg.err; msg.err == nil {
			m.sample = msg.sample
		}
		m.show(msg.processes)
		next = tick(m.interval)
	case processesMsg:
		m.show(msg)
	case tea.PasteMsg:
		if m.typing {
			m.filter += filterText(msg.Content)
		}
	case tea.KeyPressMsg:
		next = m.press(msg)
	}
	m.settle()
	return m, next
}

// show takes the processes of a container, unless the view has turned to others.
func (m *topModel) show(msg processesMsg) {
	if msg.container == m.container {
		m.processes = msg
	}
}

func (m *topModel) press(key tea.KeyPressMsg) tea.Cmd {
	switch key.String() {
	case "ctrl+c":
		return tea.Quit
	case "ctrl+z":
		return tea.Suspend
	}
	switch {
	case m.typing:
		m.edit(key)
		return nil
	case m.help: // any key ends it
		m.help = false
		return nil
	}
	return m.command(key.String())
}

// edit changes the filter.
func (m *topModel) edit(key tea.KeyPressMsg) {
	switch key.String() {
	case "enter":
		m.typing = false
	case "esc":
		m.typing, m.filter = false, ""
	case "backspace":
		runes := []rune(m.filter)
		m.filter = string(runes[:max(len(runes)-1, 0)])
	case "ctrl+u":
		m.filter = ""
	default:
		m.filter += filterText(key.Text)
	}
}

// filterText is what of a text can be in a filter.
func filterText(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}

func (m *topModel) command(key string) tea.Cmd {
	switch key {
	case "q":
		return tea.Quit
	case "?", "h":
		m.help = true
	case "r":
		m.reversed = !m.reversed
	case "up", "k":
		m.move(-1)
	case "down", "j":
		m.move(1)
	case "pgup":
		m.move(-m.space())
	case "pgdown":
		m.move(m.space())
	case "home":
		m.move(-m.length())
		m.selected = ""
	case "end":
		m.move(m.length())
	default:
		for _, o := range orders() {
			if o.key == key {
				m.order, m.reversed = o, false
			}
		}
		if m.container == "" {
			return m.choose(key)
		}
		if key == "esc" || key == "enter" {
			m.container, m.processes, m.first = "", processesMsg{}, 0
		}
	}
	return nil
}

// choose are the commands that the processes of a container don't have.
func (m *topModel) choose(key string) tea.Cmd {
	rows := m.rows()
	switch {
	case key == "/":
		m.typing = true
	case key == "esc":
		m.filter, m.selected = "", ""
	case key == "enter" && len(rows) > 0:
		container := rows[m.index].Name
		m.container, m.processes, m.selected, m.first = container, processesMsg{container: container}, container, 0
		return func() tea.Msg { return m.look(container) }
	}
	return nil
}

// move moves the cursor, or the list where it has none.
func (m *topModel) move(by int) {
	if m.container != "" {
		m.first += by
		return
	}
	if rows := m.rows(); len(rows) > 0 {
		m.index = min(max(m.index+by, 0), len(rows)-1)
		m.selected = rows[m.index].Name
	}
}

// rows are the containers to show, in their order.
func (m *topModel) rows() []launcher.Usage {
	rows := slices.Clone(m.sample.Containers)
	rows = slices.DeleteFunc(rows, func(u launcher.Usage) bool { return !strings.Contains(u.Name, m.filter) })
	m.order.sort(rows, m.reversed)
	return rows
}

// length is how many rows there are, and space how many the screen has room for.
func (m *topModel) length() int {
	if m.container != "" {
		return len(m.processes.list)
	}
	return len(m.rows())
}

func (m *topModel) space() int { return max(m.height-frame, 1) }

// settle puts the cursor onto its container again, and the rows so that it is seen.
func (m *topModel) settle() {
	if m.container == "" {
		rows := m.rows()
		at := slices.IndexFunc(rows, func(u launcher.Usage) bool { return u.Name == m.selected })
		switch {
		case at >= 0:
			m.index = at
		case m.selected == "":
			m.index = 0
		default: // it is gone, or filtered: what is in its place
			m.index = min(m.index, max(len(rows)-1, 0))
		}
		m.first = max(min(m.first, m.index), m.index-m.space()+1)
	}
	m.first = max(min(m.first, m.length()-m.space()), 0)
}

// View is what the library draws.
func (m *topModel) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	return v
}
