package main

import (
	"bytes"
	"os"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	table := &table{head: []string{"NAME", "STATE", "COMMAND"}}
	table.add("web", "running", "nginx")
	table.add("größer", "-", "sh -c \"a b\"")
	table.rows[1][1].style = yellow
	var got bytes.Buffer
	if err := table.print(&got); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"NAME    STATE    COMMAND\n" +
		"web     running  nginx\n" +
		"größer  -        sh -c \"a b\"\n"
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}

func TestColoursOnlyOnTerminals(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if colours(null) || colours(&bytes.Buffer{}) {
		t.Error("colours for what is no terminal")
	}
	if got := palette(true).paint("x", yellow); got != "\x1b[33mx\x1b[0m" {
		t.Errorf("painted: got %q", got)
	}
	if got := palette(false).paint("x", yellow); got != "x" {
		t.Errorf("not painted: got %q", got)
	}
}

func TestAge(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := map[time.Duration]string{
		-time.Second:               "0s",
		59 * time.Second:           "59s",
		61 * time.Second:           "1m1s",
		3*time.Hour + time.Second:  "3h0m",
		49*time.Hour + time.Minute: "2d1h",
	}
	for d, want := range tests {
		if got := age(now.Add(-d), now); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
	if got := age(time.Time{}, now); got != "-" {
		t.Errorf("unknown: got %s", got)
	}
}

func TestFormatBytes(t *testing.T) {
	tests := map[uint64]string{
		0: "0B", 1023: "1023B", 1024: "1.0K", 1536: "1.5K", 100 << 10: "100K", 256 << 20: "256M",
		5 << 30: "5.0G", 1<<64 - 1: "16.0E",
	}
	for n, want := range tests {
		if got := formatBytes(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"plain", []string{"nginx", "-g"}, "nginx -g"},
		{"a space", []string{"sh", "-c", "a b"}, `sh -c "a b"`},
		{"empty", []string{"x", ""}, `x ""`},
		{"escape sequence", []string{"\x1b[2J"}, `"\x1b[2J"`},
		{"bidirectional override", []string{"a\u202eb"}, `"a\u202eb"`},
		{"invalid UTF-8", []string{"a\xffb"}, `"a\xffb"`},
		{"long", []string{"0123456789012345678901234567890123456789012345678901234567890123456789"},
			"01234567890123456789012345678901234567890123456789012345678…"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := commandLine(test.args); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
