package main

import "testing"

func TestFormatMount(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"plain", "36 35 98:0 /mnt1 /mnt2 rw,noatime - ext3 /dev/root rw,errors=continue",
			"/mnt2                      ext3     rw,noatime"},
		{"optional fields", "36 35 0:42 / /proc rw,nosuid master:1 shared:2 - proc proc rw",
			"/proc                      proc     rw,nosuid"},
		{"escape sequence as a name", "36 35 0:42 / /\x1b]0;x\a rw - tmpfs tmpfs rw",
			"/\ufffd]0;x\ufffd                    tmpfs    rw"},
		{"something else", "not mountinfo", "not mountinfo"},
		{"nothing behind the dash", "36 35 0:42 / / rw - ", "36 35 0:42 / / rw - "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := printable(formatMount(test.line)); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
