package units

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"berth/internal/unitfile"
)

func TestParseSize(t *testing.T) {
	for _, test := range []struct {
		in   string
		base uint64
		want uint64
		ok   bool
	}{
		{"0", 1024, 0, true},
		{"1024", 1024, 1024, true},
		{"+5", 1024, 5, true},
		{"1B", 1024, 1, true},
		{"1K", 1024, 1024, true},
		{"1K", 1000, 1000, true},
		{"1.5M", 1024, 1572864, true},
		{"10.M", 1024, 10 << 20, true},
		{"1.5", 1024, 1, true},
		{"1G 512M", 1024, 1<<30 + 512<<20, true},
		{"1G512M 3", 1024, 1<<30 + 512<<20 + 3, true},
		{"1 K", 1024, 1024, true},
		{"15E", 1024, 15 << 60, true},
		{"18446744073709551615", 1024, 1<<64 - 1, true},
		{"", 1024, 0, false},
		{"K", 1024, 0, false},
		{"-1", 1024, 0, false},
		{".5M", 1024, 0, false},
		{"16E", 1024, 0, false},
		{"15.9999E 1E", 1024, 0, false},
		{"18446744073709551616", 1024, 0, false},
		{"18446744073709551615 1", 1024, 0, false},
		{"512M 1G", 1024, 0, false},
		{"1K ", 1024, 0, false},
		{"1KiB", 1024, 0, false},
		{"1k", 1024, 0, false},
		{"0x10", 1024, 0, false},
		{"infinity", 1024, 0, false},
	} {
		got, err := unitfile.Size(test.in, test.base)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("unitfile.Size(%q, %d) = %d, %v; want %d, ok %v", test.in, test.base, got, err, test.want, test.ok)
		}
	}
}

func TestParseBoolean(t *testing.T) {
	for _, s := range strings.Fields("1 yes Y true T ON") {
		if b, err := unitfile.Boolean(s); !b || err != nil {
			t.Errorf("%q: %v, %v", s, b, err)
		}
	}
	for _, s := range strings.Fields("0 no N false F Off") {
		if b, err := unitfile.Boolean(s); b || err != nil {
			t.Errorf("%q: %v, %v", s, b, err)
		}
	}
	for _, s := range []string{"", "2", "yess", " yes"} {
		if _, err := unitfile.Boolean(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

// timespans are tried on ParseTimespan and on systemd-analyze.
var timespans = []struct {
	in   string
	want uint64
	ok   bool
}{
	{"0", 0, true},
	{"90", 90e6, true},
	{"5min 20s", 320e6, true},
	{"5min20s", 320e6, true},
	{"1.5h", 5400e6, true},
	{".5s", 500e3, true},
	{"1M", 2629800e6, true},
	{"1m", 60e6, true},
	{"1 month", 2629800e6, true},
	{"2 years", 2 * 31557600e6, true},
	{"1y 1w 1d", 31557600e6 + 8*86400e6, true},
	{"12.34 .56", 12900e3, true},
	{"12.34s.56", 12900e3, true},
	{"1msec 5us", 1005, true},
	{"7µs", 7, true},
	{"7μs", 7, true},
	{"1.0000001s", 1000000, true},
	{"5 5", 10e6, true},
	{"  3s  ", 3e6, true},
	{"infinity", Infinity, true},
	{"infinity ", Infinity, true},
	{"+5s", 5e6, true},
	{"", 0, false},
	{"s", 0, false},
	{"-5s", 0, false},
	{"-0", 0, false},
	{"3.", 0, false},
	{"3.s", 0, false},
	{"3.+1", 0, false},
	{"12.34.56", 0, false},
	{"1fortnight", 0, false},
	{"5S", 0, false},
	{"infinityx", 0, false},
	{"infinity 5s", 0, false},
	{"0x10", 0, false},
	{"9223372036854775808us", 0, false},
	{"600000y", 0, false},
	{"584542y 1000y", 0, false},
}

func TestParseTimespan(t *testing.T) {
	for _, test := range timespans {
		got, err := unitfile.Microseconds(test.in, second)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("unitfile.Microseconds(%q, second) = %d, %v; want %d, ok %v", test.in, got, err, test.want, test.ok)
		}
	}
}

func TestParseTimespanAsSystemd(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze on this machine to compare with")
	}
	microseconds := regexp.MustCompile(`(?m)^\s*μs: (\d+)$`)
	for _, test := range timespans {
		out, err := exec.Command("systemd-analyze", "timespan", "--", test.in).Output()
		got, ours := unitfile.Microseconds(test.in, second)
		if (err == nil) != (ours == nil) {
			t.Errorf("%q: systemd says %v, ParseTimespan %v", test.in, err, ours)
			continue
		}
		if err != nil || got == Infinity {
			continue
		}
		m := microseconds.FindSubmatch(out)
		if m == nil {
			t.Fatalf("%q: no number in %s", test.in, out)
		}
		if string(m[1]) != strconv.FormatUint(got, 10) {
			t.Errorf("%q: systemd says %s, ParseTimespan %d", test.in, m[1], got)
		}
	}
}

func TestFormatTimespan(t *testing.T) {
	for _, usec := range []uint64{0, 1, 999, 1e3, 1e6, 90e6, 3661e6 + 5, 31557600e6, 1<<63 - 1, Infinity} {
		text := FormatTimespan(usec)
		if back, err := unitfile.Microseconds(text, second); back != usec || err != nil {
			t.Errorf("%d is written %q and read %d, %v", usec, text, back, err)
		}
	}
}

func FuzzParseNumbers(f *testing.F) {
	for _, test := range timespans {
		f.Add(test.in)
	}
	f.Add("1G 512M")
	f.Fuzz(func(t *testing.T, s string) {
		if usec, err := unitfile.Microseconds(s, second); err == nil {
			if back, err := unitfile.Microseconds(FormatTimespan(usec), second); back != usec || err != nil {
				t.Errorf("%q is %d, read back %d, %v", s, usec, back, err)
			}
		}
		if n, err := unitfile.Size(s, 1024); err == nil {
			if back, err := unitfile.Size(strconv.FormatUint(n, 10), 1024); back != n || err != nil {
				t.Errorf("%q is %d, read back %d, %v", s, n, back, err)
			}
		}
		for i := range settings {
			props, err := settings[i].Convert([]string{s})
			if err != nil {
				continue
			}
			for _, p := range props {
				if strings.ContainsAny(p.String(), "\n\x00") {
					t.Errorf("%s=%q lets a line break through: %q", settings[i].Name, s, p)
				}
			}
		}
	})
}
