package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"berth/launcher"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"
)

// newView makes a model of a terminal of that size.
func newView(t *testing.T, top *fakeTop, width, height int) *topModel {
	t.Helper()
	m, err := newTopModel(t.Context(), top, topOptions{interval: 2 * time.Second, sort: "cpu"}, false)
	if err != nil {
		t.Fatal(err)
	}
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	return m
}

// keys are those with names; any other is the character itself.
func press(m *topModel, keys ...string) (last tea.Cmd) {
	named := map[string]tea.Key{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "backspace": {Code: tea.KeyBackspace},
		"up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
		"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown},
		"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl}, "ctrl+z": {Code: 'z', Mod: tea.ModCtrl},
	}
	for _, name := range keys {
		key, ok := named[name]
		if !ok {
			key = tea.Key{Code: []rune(name)[0], Text: name}
		}
		_, last = m.Update(tea.KeyPressMsg(key))
	}
	return last
}

// trimmed is what is on the screen, without what is blank at the end of lines.
func trimmed(m *topModel) string {
	lines := strings.Split(m.screen(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// shown lists the containers on the screen from the top, with the cursor.
func shown(m *topModel) string {
	var names []string
	for _, line := range strings.Split(m.screen(), "\n")[2:] {
		if fields := strings.Fields(line); len(fields) > 2 && !strings.HasPrefix(line, "c cpu") && !strings.HasPrefix(line, "filter") && !strings.HasPrefix(line, "berth") {
			names = append(names, fields[0])
		}
	}
	return strings.Join(names, " ")
}

func TestTopScreen(t *testing.T) {
	tests := []struct {
		name          string
		width, height int
		keys          []string
		want          string
	}{
		{"wide", 110, 7, nil, "" +
			"berth top: 3 containers, by cpu, every 2s                                                             03:04:05\n" +
			" NAME STATE         UPTIME   CPU% MEMORY TASKS  READ/S WRITE/S PSI-CPU PSI-MEM  PSI-IO REFUSED\n" +
			">web  running        1m30s  150.0  20.0M     3      0B      0B    10.0     0.0     0.0       7\n" +
			" db   running         1d2h   12.3   300M    40    4.0K    1.9M     0.0    10.0   100.0       0\n" +
			" new  starting           -      -      -     -       -       -       -       -       -       -\n" +
			"\n" +
			"c cpu  m memory  t tasks  i io  p pressure  g refused  n name  / filter  Enter processes  ? help  q quit"},
		{"80 columns", 80, 4, nil, "" +
			"berth top: 3 containers, by cpu, every 2s                               03:04:05\n" +
			" NAME STATE          CPU% MEMORY TASKS  READ/S WRITE/S PSI-CPU PSI-MEM REFUSED\n" +
			">web  running       150.0  20.0M     3      0B      0B    10.0     0.0       7\n" +
			"c cpu  m memory  t tasks  i io  p pressure  g refused  n name  / filter  Enter …"},
		{"narrow", 20, 4, nil, "" +
			"berth top: 3 contai…\n NAME   CPU% MEMORY\n>web   150.0  20.0M\nc cpu  m memory  t …"},
		{"a slit", 3, 4, nil, "be…\n N…\n>w…\nc …"},
		{"a line", 30, 1, nil, "berth top: 3 containers, by c…"},
		{"nothing", 0, 0, nil, ""},
		{"processes", 60, 6, []string{"enter"}, "" +
			"berth top: web: 2 processes, by cpu                 03:04:05\n" +
			"     PID   CPU%  MEMORY  COMMAND\n" +
			"      11   99.5    1.0M  \ufffd]0;x\ufffd\n" +
			"      10      -    5.0M  nginx\n" +
			"\n" +
			"c cpu  m memory  n name  r reverse  Esc back  q quit"},
		{"processes by memory", 60, 4, []string{"enter", "m"}, "" +
			"berth top: web: 2 processes, by memory              03:04:05\n" +
			"     PID   CPU%  MEMORY  COMMAND\n" +
			"      10      -    5.0M  nginx\n" +
			"c cpu  m memory  n name  r reverse  Esc back  q quit"},
		{"back again", 20, 4, []string{"enter", "esc"}, "" +
			"berth top: 3 contai…\n NAME   CPU% MEMORY\n>web   150.0  20.0M\nc cpu  m memory  t …"},
		{"filter", 60, 4, []string{"/", "e", "enter"}, "" +
			"berth top: 2 of 3 containers with \"e\", by cpu       03:04:05\n" +
			" NAME STATE          CPU% MEMORY TASKS  READ/S WRITE/S\n" +
			">web  running       150.0  20.0M     3      0B      0B\n" +
			"c cpu  m memory  t tasks  i io  p pressure  g refused  n na…"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newView(t, &fakeTop{list: someUsage()}, test.width, test.height)
			for _, key := range test.keys {
				if cmd := press(m, key); cmd != nil {
					m.Update(cmd())
				}
			}
			if diff := cmp.Diff(test.want, trimmed(m)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// No line is wider, and the screen not higher, than the terminal; whatever it shows.
func TestTopFitsEverySize(t *testing.T) {
	list := append(someUsage(), launcher.Usage{Name: strings.Repeat("long-", 12) + "name", State: "final-sigterm-and-more"})
	for width := range 130 {
		for height := range 9 {
			for _, keys := range [][]string{nil, {"?"}, {"/", "x"}, {"enter"}, {"down", "down"}} {
				m := newView(t, &fakeTop{list: list}, width, height)
				if cmd := press(m, keys...); cmd != nil {
					m.Update(cmd())
				}
				lines := strings.Split(m.screen(), "\n")
				if len(lines) > max(height, 1) {
					t.Fatalf("%d×%d %v: %d lines", width, height, keys, len(lines))
				}
				for _, line := range lines {
					if utf8.RuneCountInString(line) > width {
						t.Fatalf("%d×%d %v: a line is wider: %q", width, height, keys, line)
					}
				}
			}
		}
	}
}

func TestTopKeys(t *testing.T) {
	tests := []struct {
		name string
		keys []string
		want string
	}{
		{"at first", nil, ">web db new"},
		{"memory", []string{"m"}, ">db web new"},
		{"tasks", []string{"t"}, ">db web new"},
		{"IO", []string{"i"}, ">db web new"},
		{"pressure", []string{"p"}, ">db web new"},
		{"refused", []string{"m", "g"}, ">web db new"},
		{"CPU again", []string{"m", "c"}, ">web db new"},
		{"names", []string{"n"}, ">db new web"},
		{"reversed", []string{"n", "r"}, ">web new db"},
		{"reversed twice", []string{"n", "r", "r"}, ">db new web"},
		{"the cursor stays on its container", []string{"down", "n", "r"}, "web new >db"},
		{"not above the first", []string{"up", "up"}, ">web db new"},
		{"not below the last", []string{"j", "j", "j", "j"}, "web db >new"},
		{"end", []string{"end"}, "web db >new"},
		{"home", []string{"end", "home"}, ">web db new"},
		{"filter", []string{"/", "e"}, ">web new"},
		{"filter by a letter that is a key", []string{"/", "n"}, ">new"},
		{"a letter taken back", []string{"/", "e", "w", "backspace"}, ">web new"},
		{"all taken back", []string{"/", "e", "w", "ctrl+u"}, ">web db new"},
		{"filter given up", []string{"/", "e", "esc"}, ">web db new"},
		{"filter kept", []string{"/", "e", "enter", "n"}, ">new web"},
		{"filter ended later", []string{"/", "e", "enter", "esc"}, ">web db new"},
		{"nothing with that", []string{"/", "x", "y", "enter", "down", "enter"}, ""},
		{"the container is filtered out", []string{"down", "/", "n", "enter"}, ">new"},
		{"help and back", []string{"?", "n"}, ">web db new"},
		{"no key", []string{"x", "Z", "é"}, ">web db new"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newView(t, &fakeTop{list: someUsage()}, 80, 10)
			press(m, test.keys...)
			if got := shown(m); got != test.want {
				t.Errorf("got %q, want %q\n%s", got, test.want, m.screen())
			}
		})
	}
	for _, key := range []string{"q", "ctrl+c"} {
		cmd := press(newView(t, &fakeTop{}, 80, 10), key)
		if cmd == nil {
			t.Fatalf("%s does nothing", key)
		}
		if _, ok := cmd().(tea.QuitMsg); !ok {
			t.Errorf("%s doesn't quit", key)
		}
	}
	if cmd := press(newView(t, &fakeTop{}, 80, 10), "/", "q"); cmd != nil {
		t.Error("q in a filter does something")
	}
}

// Rows are scrolled so that the cursor is seen.
func TestTopScrolls(t *testing.T) {
	var list []launcher.Usage
	for i := range 1000 {
		list = append(list, launcher.Usage{Name: fmt.Sprintf("c%03d", i), State: "running"})
	}
	m := newView(t, &fakeTop{list: list}, 80, 6)
	for _, step := range []struct {
		key, want string
	}{
		{"", ">c000 c001 c002"},
		{"pgdown", "c001 c002 >c003"},
		{"down", "c002 c003 >c004"},
		{"up", "c002 >c003 c004"},
		{"end", "c997 c998 >c999"},
		{"pgup", ">c996 c997 c998"},
		{"home", ">c000 c001 c002"},
	} {
		if step.key != "" {
			press(m, step.key)
		}
		if got := shown(m); got != step.want {
			t.Errorf("after %s: got %q, want %q", step.key, got, step.want)
		}
	}
	press(m, "end")
	m.Update(tea.WindowSizeMsg{Width: 80, Height: 8})
	if got := shown(m); got != "c995 c996 c997 c998 >c999" {
		t.Errorf("resized: got %q", got)
	}
}

// Containers come and go, and a sample may fail, while one looks on.
func TestTopLives(t *testing.T) {
	top := &fakeTop{list: someUsage()}
	m := newView(t, top, 80, 8)
	next := func() {
		t.Helper()
		_, take := m.Update(tickMsg{})
		if take == nil {
			t.Fatal("a tick takes no sample")
		}
		if _, wait := m.Update(take()); wait == nil {
			t.Fatal("there is no tick after a sample")
		}
	}
	press(m, "n", "down", "down")
	top.list = top.list[:2]
	next()
	if got := shown(m); got != "db >new" {
		t.Errorf("the cursor's container is gone: got %q", got)
	}
	top.fails = top.taken + 1
	next()
	if got := m.screen(); !strings.Contains(got, "berth: cannot ask systemd: it is") || strings.Contains(got, "\x1b") || shown(m) != "db >new" {
		t.Errorf("a sample that fails: got %q", got)
	}
	next()
	if got := m.screen(); strings.Contains(got, "cannot") {
		t.Errorf("the next one: got %q", got)
	}
	top.list = nil
	next()
	if got := m.screen(); !strings.HasPrefix(got, "berth top: 0 containers") || shown(m) != "" {
		t.Errorf("no containers: got %q", got)
	}
	if cmd := press(m, "down", "enter"); cmd != nil {
		t.Error("there are processes of nothing")
	}
	// Processes that come late are those of something else.
	m.Update(processesMsg{container: "db", read: true, list: []launcher.TaskUsage{{PID: 1}}})
	if len(m.processes.list) != 0 {
		t.Error("processes are taken that nobody asked for")
	}
}

func TestTopWithoutSystemd(t *testing.T) {
	if _, err := newTopModel(t.Context(), &fakeTop{fails: 1}, topOptions{sort: "cpu"}, false); err == nil {
		t.Error("it begins all the same")
	}
}

func TestTopColours(t *testing.T) {
	for _, colours := range []palette{true, false} {
		m := newView(t, &fakeTop{list: someUsage()}, 100, 8)
		m.colours = colours
		if got := strings.Contains(m.screen(), "\x1b"); got != bool(colours) {
			t.Errorf("colours %t: got %q", colours, m.screen())
		}
	}
}
