package seccomp

import (
	"strconv"
	"strings"
	"testing"
)

func TestCalls(t *testing.T) {
	allow := func(words ...string) []Entry { return entries(false, words...) }
	deny := func(words ...string) []Entry { return entries(true, words...) }
	join := func(lists ...[]Entry) (all []Entry) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	tests := []struct {
		name    string
		entries []Entry
		action  Action
		version int
		calls   map[string]string // what becomes of a call without arguments; "": of a number without a name
	}{
		{"a list of what is allowed", allow("read"), "EPERM", 257, map[string]string{
			"read": "allow", "execve": "allow", "write": "allow", "open": "EPERM", "mseal": "allow",
			"listns": "ENOSYS", "vserver": "ENOSYS", "": "ENOSYS"}},
		{"of systemd 252", allow("read"), "EPERM", 252, map[string]string{
			"read": "allow", "execve": "allow", "write": "EPERM", "open": "EPERM", "mseal": "EPERM", "": "EPERM"}},
		{"of a version between", allow("@file-system"), "EPERM", 255, map[string]string{
			"open": "allow", "getxattrat": "EPERM", "write": "EPERM", "": "EPERM"}},
		{"killing", allow("read"), "", 257, map[string]string{"read": "allow", "open": "kill", "": "ENOSYS"}},
		{"taken away again", join(allow("@file-system"), deny("open")), "EPERM", 257, map[string]string{
			"openat": "allow", "open": "EPERM"}},
		{"taken away, and given", join(allow("read"), deny("read"), allow("read")), "EPERM", 257, map[string]string{"read": "allow"}},
		{"taken away with an errno", join(allow("@file-system"), []Entry{{Deny: true, Name: "open", Action: "EROFS"}}), "EPERM", 257,
			map[string]string{"openat": "allow", "open": "EROFS"}},
		{"even of the default", join(allow("read"), deny("execve")), "EPERM", 257, map[string]string{"execve": "EPERM"}},
		{"libseccomp doesn't know it", allow("@file-system", "file_getattr"), "EPERM", 257, map[string]string{"file_getattr": "ENOSYS"}},
		{"libseccomp knows it", allow("@file-system"), "EPERM", 262, map[string]string{"file_getattr": "allow"}},
		{"a list of what is denied", deny("open", "@clock"), "EPERM", 257, map[string]string{
			"open": "EPERM", "settimeofday": "EPERM", "read": "allow", "": "allow"}},
		{"each with its errno", []Entry{{Deny: true, Name: "open", Action: "EROFS"}, {Deny: true, Name: "read", Action: Kill}}, "EPERM", 257,
			map[string]string{"open": "EROFS", "read": "kill", "write": "allow"}},
		{"denied, and allowed", join(deny("@file-system"), allow("open")), "EPERM", 257, map[string]string{
			"open": "allow", "openat": "EPERM"}},
		{"either neighbour denies", deny("@file-system"), "EPERM", 255, map[string]string{"getxattrat": "EPERM"}},
		{"write is denied", deny("write"), "EPERM", 257, map[string]string{"write": "EPERM"}},
		{"sockets are denied on x86 twice", deny("connect"), "EPERM", 257, map[string]string{
			"connect": "EPERM", "socketcall 3": "EPERM", "socketcall 2": "allow"}},
		{"shared memory as well", deny("shmget"), "EPERM", 257, map[string]string{"shmget": "EPERM", "ipc 23": "EPERM", "ipc 21": "allow"}},
		{"and is allowed once", allow("connect"), "EPERM", 257, map[string]string{
			"connect": "allow", "socketcall 3": "EPERM"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var calls []made
			for call, want := range test.calls {
				calls = append(calls, madeOf(call, want))
			}
			checkCalls(t, Calls(test.entries, test.action, test.version), calls)
		})
	}
}

func TestLogCalls(t *testing.T) {
	checkCalls(t, LogCalls(entries(false, "@clock", "read"), 257), []made{
		madeOf("read", "log"), madeOf("settimeofday", "log"), madeOf("write", "allow"), madeOf("execve", "allow"), madeOf("", "allow")})
	checkCalls(t, LogCalls(entries(true, "@file-system"), 257), []made{
		madeOf("openat", "allow"), madeOf("getxattrat", "allow"), madeOf("read", "log"), madeOf("file_getattr", "log"), madeOf("", "log")})
	checkCalls(t, LogCalls(append(entries(true, "read"), entries(false, "read")...), 257), []made{madeOf("read", "log")})
}

func TestNothing(t *testing.T) {
	for name, layers := range map[string][]Layer{
		"no words":                Calls(nil, "EPERM", 257),
		"a list that is empty":    Calls(append(entries(true, "read"), entries(false, "read")...), "EPERM", 257),
		"calls of other machines": Calls(entries(true, "osf_sigprocmask"), "EPERM", 257),
		"all namespaces":          Namespaces(1<<64 - 1),
		"no architectures":        Architectures(nil),
		"nothing to log":          LogCalls(nil, 257),
		"no families denied":      AddressFamilies(nil, false),
	} {
		programs, err := Compile(layers)
		if err != nil || len(layers)+len(programs) != 0 {
			t.Errorf("%s: %d layers, %d programs, %v", name, len(layers), len(programs), err)
		}
	}
}

// What all settings of a strict profile come to is one program.
func TestOneProgram(t *testing.T) {
	layers := append(LogCalls(entries(true, "@file-system"), 257), strictLayers()...)
	for _, local := range machines() {
		programs, err := compile(layers, local)
		if err != nil || len(programs) != 1 {
			t.Errorf("got %d programs, %v", len(programs), err)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	rule := func(c Compare) Layer {
		return denying("test", Rule{Call: "read", Args: []Compare{c}, Action: "EPERM"})
	}
	notify := denying("test", Rule{Call: "read", Action: Notify})
	conditional := Layer{Name: "test", Default: "EPERM", Unknown: "EPERM", Foreign: Notify,
		Rules: []Rule{{Call: "read", Args: []Compare{number(0, 1)}, Action: Notify}}}
	tests := map[string][]Layer{
		"a seventh argument":      {rule(Compare{Arg: 6, Op: Equal})},
		"an unknown comparison":   {rule(Compare{Op: "~"})},
		"a mask of another":       {rule(Compare{Op: NotEqual, Mask: 1, Value: 1})},
		"a value beyond its mask": {rule(Compare{Op: Equal, Mask: 1, Value: 2})},
		"an unknown action":       {denying("test", Rule{Call: "read", Action: "EFOO"})},
		"no default":              {{Name: "test", Unknown: Allow, Foreign: Allow}},
		"no foreign":              {{Name: "test", Unknown: Allow, Default: Allow}},
		"two listeners":           {conditional, notify},
	}
	for name, layers := range tests {
		if programs, err := Compile(layers); err == nil {
			t.Errorf("%s: got %d programs, want an error", name, len(programs))
		}
	}
}

func TestListener(t *testing.T) {
	programs, err := Compile([]Layer{denying("test", Rule{Call: "mount", Action: Notify})})
	if err != nil || len(programs) != 1 || programs[0].Flags != flagNewListener {
		t.Errorf("got %+v, %v", programs, err)
	}
}

func entries(deny bool, words ...string) (list []Entry) {
	for _, w := range words {
		list = append(list, Entry{Deny: deny, Name: w})
	}
	return list
}

// madeOf makes a call of "NAME [FIRST ARGUMENT]".
func madeOf(call, want string) made {
	name, argument, _ := strings.Cut(call, " ")
	first, _ := strconv.ParseUint(argument, 10, 64)
	return made{call: name, args: []uint64{first}, want: want}
}
