package units

import (
	"slices"
	"testing"
)

func TestReplacing(t *testing.T) {
	for _, test := range []struct {
		setting string
		values  []string
		want    []string
	}{
		{"IPAddressDeny", []string{"any"}, []string{"", "any"}},
		{"DeviceAllow", []string{"/dev/null", "/dev/zero r"}, []string{"", "/dev/null", "/dev/zero r"}},
		{"MemoryMax", []string{"1G"}, []string{"", "1G"}},
		{"IPAccounting", []string{"yes"}, []string{"yes"}}, // no boolean is empty
		{"DevicePolicy", []string{"closed"}, []string{"closed"}},
		{"IPAddressDeny", []string{"nonsense"}, []string{"nonsense"}}, // for Convert to refuse
	} {
		s, err := Lookup(test.setting)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Replacing(test.values); !slices.Equal(got, test.want) {
			t.Errorf("%s %q: got %q, want %q", test.setting, test.values, got, test.want)
		}
	}
}
