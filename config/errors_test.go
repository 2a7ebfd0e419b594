package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestParseErrors names every error of the format. In front of each text
// stands a process.command on line 1, so that nothing else is wrong.
func TestParseErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		// The file.
		{"no value", "name =", "x.toml:2:6: cannot parse TOML: expected value, not end of input"},
		{"an unknown letter", "name = x", "x.toml:2:8: cannot parse TOML: unexpected character U+0078 'x' at start of value"},
		{"a key twice", "name='a'\n  name='b'", "x.toml:3:3: cannot parse TOML: key 'name' has already been defined"},
		{"a key twice, unindented", "name='a'\nname='b'", "x.toml:3:1: cannot parse TOML: key 'name' has already been defined"},
		{"a table twice", "[root]\n[root]", "x.toml:3:2: cannot parse TOML: key 'root' has already been defined"},
		{"a huge integer", "users.map = 99999999999999999999", "x.toml:2:13: cannot parse TOML: 99999999999999999999 is out of range for int64"},
		{"an unknown table", "[netwrok]", `x.toml:2:2: netwrok: unknown key, did you mean "network"?`},
		{"an unknown key", "\tnmae = 'x'", `x.toml:2:2: nmae: unknown key, did you mean "name"?`},
		{"a key like no other", "quux = 1", "x.toml:2:1: quux: unknown key"},
		{"a key that needs quotes", `"a\u001bb" = 1`, `x.toml:2:1: "a\x1bb": unknown key`},
		{"a key in the wrong table", "[root]\nuser = 'x'", "x.toml:3:1: root.user: unknown key here, it belongs into [process]"},
		{"a top key in a table", "[root]\nname = 'x'", "x.toml:3:1: root.name: unknown key here, it belongs above the first [table]"},
		{"a setting of systemd outside its table", "MemoryMax = 1", "x.toml:2:1: MemoryMax: unknown key: settings of systemd stand in [resources] and [sandbox]"},
		{"a value for a table", "root = 1", "x.toml:2:1: root: must be a table, not an integer"},

		// Not yet.
		{"root.image", "root.image = 'a.raw'\nroot.oci = 'a'", inLines(
			"x.toml:2:6: root.image: not supported by this version of berth",
			"x.toml:3:6: root.oci: not supported by this version of berth")},
		{"the table to come", "[service]\nRestart='no'", "x.toml:2:2: service: not supported by this version of berth"},
		{"networks to come", "network = {mode='veth', ports=[80], zone='a'}", inLines(
			`x.toml:2:12: network.mode: "veth" is not supported by this version of berth`,
			"x.toml:2:25: network.ports: not supported by this version of berth",
			"x.toml:2:37: network.zone: not supported by this version of berth")},

		// Profile.
		{"profile of the wrong type", "profile = true", "x.toml:2:1: profile: must be a string, not a boolean"},
		{"profile empty", "profile = ''", `x.toml:2:1: profile: "" is no valid name of a profile, which takes a-z, 0-9 and -; a path has a / or ends in .toml`},
		{"profile in capitals", "profile = 'Strict'", `x.toml:2:1: profile: "Strict" is no valid name of a profile, which takes a-z, 0-9 and -; a path has a / or ends in .toml`},
		{"profile upwards", "profile = '..'", `x.toml:2:1: profile: ".." is no valid name of a profile, which takes a-z, 0-9 and -; a path has a / or ends in .toml`},
		{"profile with a newline", "profile = \"/a\\nb\"", `x.toml:2:1: profile: must not contain a control character, as "/a\nb" does`},
		{"profile too long", "profile = '/" + strings.Repeat("a", 4095) + "'", "x.toml:2:1: profile: longer than 4095 bytes, which is the most a path can have"},

		// Name and description.
		{"name of the wrong type", "name = 3", "x.toml:2:1: name: must be a string, not an integer"},
		{"name in capitals", "name = 'Web'", `x.toml:2:1: name: "Web" is no valid name: it takes 1 to 63 of a-z, 0-9 and -, not beginning with -`},
		{"name with a slash", "name = '../x'", `x.toml:2:1: name: "../x" is no valid name: it takes 1 to 63 of a-z, 0-9 and -, not beginning with -`},
		{"name with a newline", "name = \"a\\nb\"", `x.toml:2:1: name: "a\nb" is no valid name: it takes 1 to 63 of a-z, 0-9 and -, not beginning with -`},
		{"name empty", "name = ''", `x.toml:2:1: name: "" is no valid name: it takes 1 to 63 of a-z, 0-9 and -, not beginning with -`},
		{"name of hyphens", "name = '-a'", `x.toml:2:1: name: "-a" is no valid name: it takes 1 to 63 of a-z, 0-9 and -, not beginning with -`},
		{"description with a newline", "description = \"a\\nExecStart=b\"", `x.toml:2:1: description: must not contain a control character, as "a\nExecStart=b" does`},

		// Root.
		{"root relative", "root.directory = 'srv'", `x.toml:2:6: root.directory: must be an absolute path, not "srv"`},
		{"root empty", "root.directory = ''", `x.toml:2:6: root.directory: must be an absolute path, not ""`},
		{"root upwards", "root.directory = '/srv/..'", `x.toml:2:6: root.directory: must not contain "..", as "/srv/.." does`},
		{"root unclean", "root.directory = '/srv//a/'", `x.toml:2:6: root.directory: must be written as "/srv/a"`},
		{"root with NUL", `root.directory = "/srv\u0000"`, `x.toml:2:6: root.directory: must not contain a control character, as "/srv\x00" does`},
		{"root with a newline", `root.directory = "/srv\n"`, `x.toml:2:6: root.directory: must not contain a control character, as "/srv\n" does`},
		{"root too long", "root.directory = '/" + strings.Repeat("a", 4095) + "'", "x.toml:2:6: root.directory: longer than 4095 bytes, which is the most a path can have"},
		{"the host's tree by name", "root.directory = '/'", `x.toml:2:6: root.directory: must not be "/": leave it out for the host's own tree`},
		{"the host's tree writable", "root.volatile = 'no'", `x.toml:2:6: root.volatile: "no" would write to the host's own tree: give read_only = true or a directory as well`},
		{"volatile unknown", "root.volatile = 'maybe'", `x.toml:2:6: root.volatile: must be "no", "overlay", "state" or "yes", not "maybe"`},
		{"read_only of the wrong type", "root.read_only = 'yes'", "x.toml:2:6: root.read_only: must be true or false, not a string"},

		// Process.
		{"environment of the wrong type", "process.environment = ['A=b']", "x.toml:2:9: process.environment: must be a table of strings, not an array"},
		{"environment's name", "process.environment = {'1A'='b', 'A=B'='c', ''='d'}", inLines(
			`x.toml:2:24: process.environment.1A: is no valid name of an environment variable`,
			`x.toml:2:34: process.environment."A=B": is no valid name of an environment variable`,
			`x.toml:2:45: process.environment."": is no valid name of an environment variable`)},
		{"environment's value", "process.environment.A = true", "x.toml:2:21: process.environment.A: must be a string or an integer, not a boolean"},
		{"environment with NUL", `process.environment.A = "\u0000"`, "x.toml:2:21: process.environment.A: must not contain a NUL"},
		{"user's letters", "process.user = 'a b'", `x.toml:2:9: process.user: "a b" is no valid name of a user`},
		{"user's group", "process.user = 'a:'", "x.toml:2:9: process.user: must be USER or USER:GROUP; the group is empty"},
		{"user and two groups", "process.user = 'a:b:c'", `x.toml:2:9: process.user: "b:c" is no valid name of a group`},
		{"user empty", "process.user = ''", "x.toml:2:9: process.user: must be USER or USER:GROUP; the user is empty"},
		{"user negative", "process.user = -1", `x.toml:2:9: process.user: "-1" is no valid name of a user`},
		{"user that is nobody's", "process.user = '4294967295'", `x.toml:2:9: process.user: "4294967295" is no valid user or group ID`},
		{"user in octal", "process.user = '010'", `x.toml:2:9: process.user: "010" is no valid user or group ID`},
		{"user beyond the block", "process.user = '0:70000'", "x.toml:2:9: process.user: 70000 does not exist in the container, which has the IDs below 65536 (users.size)"},
		{"user and boot", "process.user = 'a'\nprocess.boot = true", "x.toml:2:9: process.user: cannot be given with boot = true: init starts as root"},
		{"working_directory relative", "process.working_directory = '.'", `x.toml:2:9: process.working_directory: must be an absolute path, not "."`},
		{"hostname's letters", "process.hostname = 'a_b'", `x.toml:2:9: process.hostname: "a_b" is no valid host name`},
		{"hostname's labels", "process.hostname = 'a..b'", `x.toml:2:9: process.hostname: "a..b" is no valid host name`},
		{"hostname's hyphen", "process.hostname = 'a-.b'", `x.toml:2:9: process.hostname: "a-.b" is no valid host name`},
		{"hostname too long", "process.hostname = '" + strings.Repeat("a.", 32) + "a'", "x.toml:2:9: process.hostname: longer than 64 bytes, which is the most a host name can have"},
		{"terminal of the wrong type", "process.terminal = 1", "x.toml:2:9: process.terminal: must be true or false, not an integer"},
		{"stop_signal unknown", "process.stop_signal = 'SIGTRM'", `x.toml:2:9: process.stop_signal: "SIGTRM" is no signal, did you mean "SIGTERM"?`},
		{"stop_signal of the wrong type", "process.stop_signal = 1.5", "x.toml:2:9: process.stop_signal: must be a string or an integer, not a float"},

		// Users.
		{"map unknown", "users.map = 'atuo'", `x.toml:2:7: users.map: must be "auto", "host" or the first ID of a block, not "atuo"`},
		{"map of the wrong type", "users.map = true", `x.toml:2:7: users.map: must be "auto", "host" or an integer, not a boolean`},
		{"map below the range", "users.map = 100000", "x.toml:2:7: users.map: must be from 524288 to 1879048191, the IDs that systemd sets aside for containers"},
		{"map above the range", "users.map = 1879048192", "x.toml:2:7: users.map: must be from 524288 to 1879048191, the IDs that systemd sets aside for containers"},
		{"map unaligned", "users.map = 524289", "x.toml:2:7: users.map: must be a multiple of size, 65536"},
		{"map unaligned to its size", "users = {map = 524800, size = 1024}", "x.toml:2:10: users.map: must be a multiple of size, 1024"},
		{"size no power of two", "users.size = 1000", "x.toml:2:7: users.size: must be a power of two from 256 to 65536"},
		{"size too small", "users.size = 128", "x.toml:2:7: users.size: must be a power of two from 256 to 65536"},
		{"size negative", "users.size = -9223372036854775808", "x.toml:2:7: users.size: must be a power of two from 256 to 65536"},
		{"size too large", "users.size = 131072", "x.toml:2:7: users.size: must be at most 65536: the lock that keeps a block exclusive, also from systemd-nspawn, covers one block of that size"},
		{"size of the wrong type", "users.size = '1024'", "x.toml:2:7: users.size: must be an integer, not a string"},
		{"size of no block", "users = {map='host', size=1024}", `x.toml:2:22: users.size: cannot be given when map is "host", which has all IDs`},
		{"no root of no block", "users = {map='host', map_root=false}", `x.toml:2:22: users.map_root: must be true when map is "host": nothing is mapped`},
		{"no root but no user", "users.map_root = false", "x.toml:2:7: users.map_root: cannot be false unless process.user names another user than root"},
		{"no root but root", "users.map_root = false\nprocess.user = '0:5'", "x.toml:3:9: process.user: must be another user than root, since users.map_root is false"},
		{"no root but an init", "users.map_root = false\nprocess.boot = true", "x.toml:2:7: users.map_root: must be true when boot is: init runs as root"},

		// The guard of mounts.
		{"mountguard as a value", "mountguard = false", "x.toml:2:1: mountguard: must be a table, not a boolean"},
		{"enabled of the wrong type", "mountguard.enabled = 'yes'", "x.toml:2:12: mountguard.enabled: must be true or false, not a string"},
		{"remounts of the wrong type", "mountguard.immutable_remounts = false", "x.toml:2:12: mountguard.immutable_remounts: must be a string, not a boolean"},
		{"remounts unknown", "mountguard.immutable_remounts = 'no'", `x.toml:2:12: mountguard.immutable_remounts: must be "deny" or "allow", not "no"`},
		{"unmounts unknown", "mountguard.immutable_unmounts = 'Deny'", `x.toml:2:12: mountguard.immutable_unmounts: must be "allow" or "deny", not "Deny"`},
		{"an unknown key of the guard", "[mountguard]\nimmutable_umounts = 'deny'", `x.toml:3:1: mountguard.immutable_umounts: unknown key, did you mean "immutable_unmounts"?`},
		{"a key of the guard elsewhere", "[root]\nimmutable_unmounts = 'deny'", "x.toml:3:1: root.immutable_unmounts: unknown key here, it belongs into [mountguard]"},
		{"a guard without locks", "users.map = 'host'\n[mountguard]\nenabled = true\nimmutable_remounts = 'deny'\nimmutable_unmounts = 'deny'", inLines(
			`x.toml:4:1: mountguard.enabled: cannot be true when users.map is "host": the kernel locks no mount without a user namespace`,
			`x.toml:5:1: mountguard.immutable_remounts: cannot be "deny" when users.map is "host": the kernel locks no mount without a user namespace`,
			`x.toml:6:1: mountguard.immutable_unmounts: cannot be "deny" when users.map is "host": the kernel locks no mount without a user namespace`)},

		// Resources.
		{"setting in lower case", "resources.memory_max = 1", "x.toml:2:11: resources.memory_max: unknown key: it holds settings of systemd, such as MemoryMax"},
		{"setting with a newline", `resources.Description = "a\nb"`, `x.toml:2:11: resources.Description: must not contain a control character, as "a\nb" does`},
		{"setting with a newline in an array", `resources.IPAddressDeny = ["any", "a\nb"]`, `x.toml:2:35: resources.IPAddressDeny[1]: must not contain a control character, as "a\nb" does`},
		{"setting that is a table", "resources.IO = {a=1}", "x.toml:2:11: resources.IO: must be a string, a number, true, false or an array of these, not a table"},
		{"setting that is a date", "resources.IO = 2020-01-01", "x.toml:2:11: resources.IO: must be a string, a number, true, false or an array of these, not a date or time"},
		{"setting that nests", "resources.IO = [['a']]", "x.toml:2:11: resources.IO[0]: must be a string, a number, true or false, not an array"},
		{"setting that is infinite", "resources.IO = inf", `x.toml:2:11: resources.IO: must be a finite number; systemd's word for no limit is "infinity"`},
		{"settings that are an array", "resources = ['a']", "x.toml:2:1: resources: must be a table, not an array"},

		// Sandbox.
		{"sandbox in lower case", "sandbox.protect_home = true", "x.toml:2:9: sandbox.protect_home: unknown key: it holds settings of systemd, such as ProtectSystem"},
		{"sandbox with a newline", `sandbox.BindPaths = ["/a", "/b\n/c"]`, `x.toml:2:28: sandbox.BindPaths[1]: must not contain a control character, as "/b\n/c" does`},
		{"sandbox with a table", "[sandbox.BindPaths]", "x.toml:2:10: sandbox.BindPaths: must be a string, a number, true, false or an array of these, not a table"},
		{"sandbox that is no table", "[[sandbox]]", "x.toml:2:3: sandbox: must be a table, not an array"},

		// Network.
		{"network unknown", "network.mode = 'hots'", `x.toml:2:9: network.mode: must be "private" or "host", not "hots"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("x.toml", []byte("process.command=['a']\n"+test.text), Overrides{})
			wantError(t, err, test.want)
		})
	}
}

func TestParseErrorsOfCommands(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"missing", "", "x.toml: process.command: is required, unless boot = true"},
		{"missing in its table", "\n[process]\nboot = false", "x.toml:2:2: process.command: is required, unless boot = true"},
		{"empty", "process.command = []", "x.toml:1:9: process.command: must not be empty, unless boot = true"},
		{"without a program", "process.command = ['', 'a']", "x.toml:1:20: process.command[0]: must name a program"},
		{"a string", "process.command = 'a b'", "x.toml:1:9: process.command: must be an array of strings, not a string"},
		{"a number within", "process.command = [\n  'a',\n  1 ]", "x.toml:3:3: process.command[1]: must be a string, not an integer"},
		{"a NUL within", `process.command = ["a\u0000"]`, "x.toml:1:20: process.command[0]: must not contain a NUL"},
		{"too long", "process.command = ['a', '" + strings.Repeat("a", 1<<17) + "']", "x.toml:1:25: process.command[1]: longer than 131071 bytes, which is the most the kernel passes on"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("x.toml", []byte(test.text), Overrides{})
			wantError(t, err, test.want)
		})
	}
}

// TestParseErrorsOfMounts tests single mounts.
func TestParseErrorsOfMounts(t *testing.T) {
	tests := []struct{ name, mount, want string }{
		{"no type", "target='/a'", "x.toml:2:3: mounts[0].type: is required: bind, tmpfs or overlay"},
		{"no target", "type='tmpfs'", "x.toml:2:3: mounts[0].target: is required"},
		{"an unknown type", "type='bnid'\ntarget='/a'", `x.toml:3:1: mounts[0].type: must be "bind", "tmpfs" or "overlay", not "bnid"`},
		{"a bind of nothing", "type='bind'\ntarget='/a'", "x.toml:2:3: mounts[0].source: is required for bind"},
		{"a bind of a relative path", "type='bind'\ntarget='/a'\nsource='a'", `x.toml:5:1: mounts[0].source: must be an absolute path, not "a"`},
		{"a bind of two", "type='bind'\ntarget='/a'\nsource=['/a']", "x.toml:5:1: mounts[0].source: must be a string, not an array"},
		{"a tmpfs of something", "type='tmpfs'\ntarget='/a'\nsource='/a'", "x.toml:5:1: mounts[0].source: a tmpfs has none"},
		{"a tmpfs with idmap", "type='tmpfs'\ntarget='/a'\nidmap='no'", "x.toml:5:1: mounts[0].idmap: a tmpfs has none: it belongs to the container's root"},
		{"an overlay of nothing", "type='overlay'\ntarget='/a'", "x.toml:2:3: mounts[0].source: is required for overlay: the lower directories"},
		{"an overlay of an empty part", "type='overlay'\ntarget='/a'\nsource='/a:'", `x.toml:5:1: mounts[0].source: must be an absolute path, not ""`},
		{"an overlay of no parts", "type='overlay'\ntarget='/a'\nsource=[]", "x.toml:5:1: mounts[0].source: must not be empty"},
		{"an overlay of a colon", "type='overlay'\ntarget='/a'\nsource=['/a', '/b:/c']", "x.toml:5:15: mounts[0].source[1]: must not contain a colon, which separates lower directories"},
		{"an overlay of a number", "type='overlay'\ntarget='/a'\nsource=1", "x.toml:5:1: mounts[0].source: must be a string or an array of strings, not an integer"},
		{"an upper without work", "type='overlay'\ntarget='/a'\nsource='/a'\nupper='/u'", "x.toml:2:3: mounts[0].work: is required with upper: an empty directory on the same file system"},
		{"a work without upper", "type='overlay'\ntarget='/a'\nsource='/a'\nwork='/u'", "x.toml:2:3: mounts[0].upper: is required with work"},
		{"an upper that is its work", "type='overlay'\ntarget='/a'\nsource='/a'\nupper='/u'\nwork='/u'", "x.toml:7:1: mounts[0].work: must be another directory than upper"},
		{"an upper of a bind", "type='bind'\ntarget='/a'\nsource='/a'\nupper='/u'", "x.toml:6:1: mounts[0].upper: only an overlay has one"},
		{"the root as target", "type='tmpfs'\ntarget='/'", `x.toml:4:1: mounts[0].target: must not be "/", which [root] describes`},
		{"a target in /proc", "type='tmpfs'\ntarget='/proc/sys'", "x.toml:4:1: mounts[0].target: must not be in /proc, which berth itself mounts"},
		{"/sys as target", "type='tmpfs'\ntarget='/sys'", "x.toml:4:1: mounts[0].target: must not be in /sys, which berth itself mounts"},
		{"a target upwards", "type='tmpfs'\ntarget='/a/../../b'", `x.toml:4:1: mounts[0].target: must not contain "..", as "/a/../../b" does`},
		{"a target twice", "type='tmpfs'\ntarget='/a'\n[[mounts]]\ntype='tmpfs'\ntarget='/a'", `x.toml:7:1: mounts[1].target: "/a" is a target already, at x.toml:4:1`},
		{"an unknown key", "type='tmpfs'\ntarget='/a'\nreadonly=true", `x.toml:5:1: mounts[0].readonly: unknown key, did you mean "read_only"?`},
		{"an unknown idmap", "type='bind'\ntarget='/a'\nsource='/a'\nidmap='yes'", `x.toml:6:1: mounts[0].idmap: must be "owner", "identity" or "no", not "yes"`},
		{"idmap as true", "type='bind'\ntarget='/a'\nsource='/a'\nidmap=true", `x.toml:6:1: mounts[0].idmap: must be "owner", "identity" or "no", not "yes"`},
		{"options as a string", "type='tmpfs'\ntarget='/a'\noptions='nodev,nosuid'", "x.toml:5:1: mounts[0].options: must be an array of strings, not a string"},
		{"an option misspelt", "type='tmpfs'\ntarget='/a'\noptions=['nodve']", `x.toml:5:10: mounts[0].options[0]: "nodve" is no option of this type of mount, did you mean "nodev"?`},
		{"an option of another type", "type='tmpfs'\ntarget='/a'\noptions=['rbind']", `x.toml:5:10: mounts[0].options[0]: "rbind" is no option of this type of mount`},
		{"an option smuggled in", "type='tmpfs'\ntarget='/a'\noptions=['nodev,suid']", `x.toml:5:10: mounts[0].options[0]: "nodev,suid" is no option of this type of mount`},
		{"an option smuggled into a value", "type='tmpfs'\ntarget='/a'\noptions=['mode=1777,uid=0']", `x.toml:5:10: mounts[0].options[0]: mode: "1777,uid=0" is no mode, as 1777 is`},
		{"options at odds", "type='tmpfs'\ntarget='/a'\noptions=['dev', 'nodev']", `x.toml:5:17: mounts[0].options[1]: "nodev" cannot stand beside "dev"`},
		{"an option twice", "type='tmpfs'\ntarget='/a'\noptions=['size=1M', 'size=2M']", `x.toml:5:21: mounts[0].options[1]: "size=2097152" cannot stand beside "size=1048576"`},
		{"a size of nothing", "type='tmpfs'\ntarget='/a'\noptions=['size=0']", "x.toml:5:10: mounts[0].options[0]: size: must not be 0, which is no limit"},
		{"a size left out", "type='tmpfs'\ntarget='/a'\noptions=['size']", `x.toml:5:10: mounts[0].options[0]: "size" needs a value`},
		{"a size that is none", "type='tmpfs'\ntarget='/a'\noptions=['size=big']", `x.toml:5:10: mounts[0].options[0]: size: "big" is no size, as 16M is`},
		{"a size beyond all", "type='tmpfs'\ntarget='/a'\noptions=['size=101%']", `x.toml:5:10: mounts[0].options[0]: size: "101%" must be from 1% to 100%`},
		{"a mode in decimal", "type='tmpfs'\ntarget='/a'\noptions=['mode=1798']", `x.toml:5:10: mounts[0].options[0]: mode: "1798" is no mode, as 1777 is`},
		{"a number of options", "type='tmpfs'\ntarget='/a'\noptions=[1]", "x.toml:5:10: mounts[0].options[0]: must be a string, not an integer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("x.toml", []byte("process.command=['a']\n[[mounts]]\n"+test.mount), Overrides{})
			wantError(t, err, test.want)
		})
	}
}

func TestParseMountsOfTheWrongType(t *testing.T) {
	_, err := Parse("x.toml", []byte("process.command=['a']\nmounts=[{type='tmpfs', target='/a'}, 'x']"), Overrides{})
	wantError(t, err, "x.toml:2:38: mounts[1]: must be a table, not a string")

	_, err = Parse("x.toml", []byte("process.command=['a']\n[mounts]\ntype='tmpfs'"), Overrides{})
	wantError(t, err, "x.toml:2:2: mounts: must be an array of tables, not a table")
}

// TestParseReportsAll holds that one wrong thing hides no other.
func TestParseReportsAll(t *testing.T) {
	const text = `
nmae = "web"

[users]
size = 3
[process]
boot = 1
user = ["x"]
stop_signal = "TERM"
[[mounts]]
type = "bind"
[[mounts]]
target = "/proc"
type = "tmpfs"
[root]
volatile = "never"
directory = "x"
[resources]
ok = 1
`
	c, err := Parse("/etc/berth/Web.toml", []byte(text), Overrides{Set: []string{"network.mode=wlan"}})
	wantError(t, err, inLines(
		`-p network.mode=wlan: network.mode: must be "private" or "host", not "wlan"`,
		`/etc/berth/Web.toml: name: is not given, and the file's name does not serve: "Web" is no valid name: it takes 1 to 63 of a-z, 0-9 and -, not beginning with -`,
		`/etc/berth/Web.toml:2:1: nmae: unknown key, did you mean "name"?`,
		`/etc/berth/Web.toml:5:1: users.size: must be a power of two from 256 to 65536`,
		`/etc/berth/Web.toml:7:1: process.boot: must be true or false, not an integer`,
		`/etc/berth/Web.toml:8:1: process.user: must be a string or an integer, not an array`,
		`/etc/berth/Web.toml:10:3: mounts[0].source: is required for bind`,
		`/etc/berth/Web.toml:10:3: mounts[0].target: is required`,
		`/etc/berth/Web.toml:13:1: mounts[1].target: must not be in /proc, which berth itself mounts`,
		`/etc/berth/Web.toml:16:1: root.volatile: must be "no", "overlay", "state" or "yes", not "never"`,
		`/etc/berth/Web.toml:17:1: root.directory: must be an absolute path, not "x"`,
		`/etc/berth/Web.toml:19:1: resources.ok: unknown key: it holds settings of systemd, such as MemoryMax`,
	))
	if c == nil || c.Process.StopSignal != "SIGTERM" {
		t.Errorf("Container = %+v, want what was right in it", c)
	}
}

// TestErrorsOfLaterStages holds what the launcher does with Errors.
func TestErrorsOfLaterStages(t *testing.T) {
	c, err := Parse("x.toml", []byte("[resources]\nMemoryMx = 1\n\n[process]\ncommand = 1"), Overrides{})
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatalf("error is %T, want Errors", err)
	}
	s := c.Resources[0]
	errs = append(errs, Error{s.Pos, "resources." + s.Name, "unknown setting"})
	errs.Sort()
	wantError(t, errs.Err(), inLines(
		"x.toml:2:1: resources.MemoryMx: unknown setting",
		"x.toml:5:1: process.command: must be an array of strings, not an integer"))
	if err := (Errors{}).Err(); err != nil {
		t.Errorf("Err of none = %v, want nil", err)
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want\n%s", want)
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func inLines(s ...string) string { return strings.Join(s, "\n") }
