package config

import "testing"

func TestSignal(t *testing.T) {
	tests := []struct {
		name string
		want int
	}{
		{"SIGTERM", 15}, {"TERM", 15}, {"15", 15}, {"KILL", 9}, {"SIGHUP", 1}, {"SIGSYS", 31}, {"1", 1},
		{"SIGRTMIN", 34}, {"RTMIN", 34}, {"SIGRTMIN+3", 37}, {"RTMIN+30", 64}, {"SIGRTMIN+0", 34},
		{"SIGRTMAX", 64}, {"RTMAX-1", 63}, {"SIGRTMAX-30", 34}, {"64", 64}, {"34", 34},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got, err := Signal(test.name); err != nil || got != test.want {
				t.Errorf("Signal(%q) = %d, %v, want %d", test.name, got, err, test.want)
			}
		})
	}
}

func TestSignalWrong(t *testing.T) {
	tests := []struct{ name, want string }{
		{"", `"" is no signal`},
		{"0", `"0" is no signal`},
		{"-9", `"-9" is no signal`},
		{"+9", `"+9" is no signal`},
		{"09", `"09" is no signal`},
		{"32", `"32" is no signal`},
		{"65", `"65" is no signal`},
		{"99999999999999999999", `"99999999999999999999" is no signal`},
		{"term", `"term" is no signal, did you mean "SIGTERM"?`},
		{"SIGSIGTERM", `"SIGSIGTERM" is no signal, did you mean "SIGTERM"?`},
		{"SIGRTMIN+31", `"SIGRTMIN+31" is no signal`},
		{"SIGRTMIN-1", `"SIGRTMIN-1" is no signal`},
		{"SIGRTMAX+1", `"SIGRTMAX+1" is no signal`},
		{"SIGRTMIN+", `"SIGRTMIN+" is no signal`},
		{"SIGRTMIN++3", `"SIGRTMIN++3" is no signal`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Signal(test.name)
			if err == nil {
				t.Fatalf("Signal(%q) = %d, want an error", test.name, got)
			}
			if err.Error() != test.want {
				t.Errorf("Signal(%q): %v, want %s", test.name, err, test.want)
			}
		})
	}
}

// TestSignalNames holds that every name leads back to its number.
func TestSignalNames(t *testing.T) {
	for n := -1; n <= sigRTMax+1; n++ {
		name := signalName(n)
		if want := n >= 1 && n <= lastStandard || n >= sigRTMin && n <= sigRTMax; want != (name != "") {
			t.Errorf("signalName(%d) = %q", n, name)
		}
		if name == "" {
			continue
		}
		if got, err := Signal(name); err != nil || got != n {
			t.Errorf("Signal(%q) = %d, %v, want %d", name, got, err, n)
		}
	}
}
