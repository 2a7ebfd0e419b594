package units

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestPropertyJSON(t *testing.T) {
	for _, test := range []struct {
		property Property
		want     string
	}{
		{NewProperty("MemoryMax", uint64(268435456)), `{"name":"MemoryMax","value":268435456}`},
		{NewProperty("MemoryMaxScale", scale(3333)), `{"name":"MemoryMaxScale","value":"33.33%"}`},
		{NewProperty("TasksMax", Infinity), `{"name":"TasksMax","value":"infinity"}`},
		{NewProperty("Delegate", true), `{"name":"Delegate","value":true}`},
		{NewProperty("AllowedCPUs", []byte{0x0f, 0x01}), `{"name":"AllowedCPUs","value":"0-3,8"}`},
		{NewProperty("KillSignal", int32(37)), `{"name":"KillSignal","value":"SIGRTMIN+3"}`},
		{NewProperty("IPAddressDeny", bothFamilies("0.0.0.0/0", "::/0")), `{"name":"IPAddressDeny","value":["0.0.0.0/0","::/0"]}`},
		{NewProperty("IPAddressDeny", []addressPrefix{}), `{"name":"IPAddressDeny","value":[]}`},
		{NewProperty("PIDs", []uint32{7}), `{"name":"PIDs","value":[7]}`},
	} {
		got, err := json.Marshal(test.property)
		if err != nil || string(got) != test.want {
			t.Errorf("got %s, %v\nwant %s", got, err, test.want)
		}
	}
}

// The signatures are those of systemd's bus interface.
func TestPropertySignatures(t *testing.T) {
	for _, test := range []struct {
		setting, value, want string
	}{
		{"MemoryMax", "1G", "t"},
		{"MemoryMax", "1%", "u"},
		{"AllowedCPUs", "", "ay"},
		{"DeviceAllow", "/dev/null", "a(ss)"},
		{"DeviceAllow", "", "a(ss)"},
		{"IODeviceWeight", "/dev/null 5", "a(st)"},
		{"IPAddressAllow", "any", "a(iayu)"},
		{"SocketBindAllow", "any", "a(iiqq)"},
		{"RestrictNetworkInterfaces", "lo", "(bas)"},
		{"NFTSet", "cgroup:inet:a:b", "a(iiss)"},
		{"BPFProgram", "bind4:/x", "a(ss)"},
		{"IPEgressFilterPath", "/x", "as"},
		{"KillSignal", "TERM", "i"},
		{"Delegate", "no", "b"},
		{"Delegate", "", "as"},
	} {
		s, err := Lookup(test.setting)
		if err != nil {
			t.Fatal(err)
		}
		props, err := s.Convert([]string{test.value})
		if err != nil {
			t.Fatal(err)
		}
		if got := props[0].Value.Signature().String(); got != test.want {
			t.Errorf("%s=%s is sent as %s, want %s", test.setting, test.value, got, test.want)
		}
	}
	if got := dbus.SignatureOf([]Property{}).String(); got != "a(sv)" {
		t.Errorf("properties are sent as %s", got)
	}
	if got := dbus.SignatureOf([]auxiliaryUnit{}).String(); got != "a(sa(sv))" {
		t.Errorf("auxiliary units are sent as %s", got)
	}
}

func TestWords(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []string
		ok   bool
	}{
		{"", nil, true},
		{"a  b\tc", []string{"a", "b", "c"}, true},
		{`"a b" 'c "d'`, []string{"a b", `c "d`}, true},
		{`a\ b \"`, []string{"a b", `"`}, true},
		{`x"y z"w`, []string{"xy zw"}, true},
		{`"a`, nil, false},
		{`a\`, nil, false},
	} {
		got, err := words(test.in)
		if !slices.Equal(got, test.want) || (err == nil) != test.ok {
			t.Errorf("%q: got %q, %v", test.in, got, err)
		}
	}
}
