package config

import "testing"

func TestParseSize(t *testing.T) {
	tests := []struct {
		size string
		want uint64
	}{
		{"0", 0}, {"4096", 4096}, {"12B", 12}, {"1K", 1024}, {"16M", 16 << 20}, {"1G", 1 << 30},
		{"2T", 2 << 40}, {"1P", 1 << 50}, {"15E", 15 << 60}, {"1.5G", 3 << 29}, {"0.5K", 512},
		{"1.9", 1}, {"0.1K", 102}, {"1.000000000000000001E", 1<<60 + 1}, {"18446744073709551615", 1<<64 - 1},
	}
	for _, test := range tests {
		t.Run(test.size, func(t *testing.T) {
			if got, err := ParseSize(test.size); err != nil || got != test.want {
				t.Errorf("ParseSize(%q) = %d, %v, want %d", test.size, got, err, test.want)
			}
		})
	}
}

func TestParseSizeWrong(t *testing.T) {
	tests := []struct{ size, want string }{
		{"", `"" is no size, as 16M is`},
		{"M", `"M" is no size, as 16M is`},
		{"-1", `"-1" is no size, as 16M is`},
		{"+1", `"+1" is no size, as 16M is`},
		{"1k", `"1k" is no size, as 16M is`},
		{"1MB", `"1MB" is no size, as 16M is`},
		{"1 M", `"1 M" is no size, as 16M is`},
		{"1_000", `"1_000" is no size, as 16M is`},
		{"1.", `"1." is no size, as 16M is`},
		{".5M", `".5M" is no size, as 16M is`},
		{"1.2.3", `"1.2.3" is no size, as 16M is`},
		{"1.0000000000000000000M", `"1.0000000000000000000M" is no size, as 16M is`},
		{"0x10", `"0x10" is no size, as 16M is`},
		{"1e3", `"1e3" is no size, as 16M is`},
		{"16E", `"16E" is too large`},
		{"18446744073709551616", `"18446744073709551616" is no size, as 16M is`},
	}
	for _, test := range tests {
		t.Run(test.size, func(t *testing.T) {
			got, err := ParseSize(test.size)
			if err == nil {
				t.Fatalf("ParseSize(%q) = %d, want an error", test.size, got)
			}
			if err.Error() != test.want {
				t.Errorf("ParseSize(%q): %v, want %s", test.size, err, test.want)
			}
		})
	}
}
