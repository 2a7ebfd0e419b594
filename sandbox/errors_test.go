package sandbox

import (
	"errors"
	"strings"
	"testing"
)

func TestSetRefuses(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"ProtectSytem", "yes", `unknown setting: did you mean "ProtectSystem"?`},
		{"MemoryMax", "1G", "unknown setting"},
		{"User", "nobody", "the payload's user is process.user"},
		{"PrivateDevices", "", `must be a boolean such as yes or no, not ""`},
		{"PrivateDevices", "maybe", `must be a boolean such as yes or no, not "maybe"`},
		{"ProtectSystem", "most", `must be no, yes, full or strict, not "most"`},
		{"ProtectSystem", "Strict", "must be no, yes"},
		{"ProtectProc", "yes", "must be default, noaccess"},
		{"ProtectHostname", "yes:web", "cannot have a name: the container's is process.hostname"},
		{"ReadWritePaths", "a", `must be absolute, not "a"`},
		{"ReadWritePaths", "/a/../b", `must not have ".."`},
		{"ReadWritePaths", `"/a`, "has a quote that isn't closed"},
		{"ReadWritePaths", "/a\n/b", "must not have a line break"},
		{"ReadWritePaths", "/\xff", "must be valid UTF-8"},
		{"ReadWritePaths", "/" + strings.Repeat("a", 256), "has a name that is too long"},
		{"ReadWritePaths", strings.Repeat("/a", 1<<20), "is too long"},
		{"ReadWritePaths", "+-/a", "must be absolute"},
		{"BindPaths", "/a:/b:norbind:x", "must be SOURCE"},
		{"BindPaths", "/a:", "must be absolute"},
		{"BindPaths", "/a:/b:idmap", "must have the option rbind or norbind"},
		{"BindPaths", `/a\y`, "has a backslash that escapes nothing"},
		{"BindPaths", `/a:/b\nc`, "must be valid UTF-8 without control characters"},
		{"TemporaryFileSystem", "/a:siez=5M", `unknown option of a tmpfs "siez", did you mean "size"?`},
		{"TemporaryFileSystem", "/a:size", "needs a value"},
		{"TemporaryFileSystem", "/a:ro=1", "takes no value"},
		{"TemporaryFileSystem", "/a:mode=9", "whose value isn't one"},
		{"TemporaryFileSystem", "/a:size=1M%", "whose value isn't one"},
		{"SystemCallFilter", "@system-servcie", `did you mean "@system-service"?`},
		{"SystemCallFilter", "raed", `unknown system call "raed", did you mean "read"?`},
		{"SystemCallFilter", "read:EPERM", "cannot take an error number for what is allowed"},
		{"SystemCallFilter", "~read:EPERN", `did you mean "EPERM"?`},
		{"SystemCallFilter", "~read:4096", "must be an error number from 1 to 4095"},
		{"SystemCallFilter", "~read:0", "must be an error number"},
		{"SystemCallFilter", "~", "lists nothing"},
		{"SystemCallLog", "~read:EPERM", "takes no error number"},
		{"SystemCallErrorNumber", "0", "must be an error number"},
		{"SystemCallErrorNumber", "EPREM", `did you mean "EPERM"?`},
		{"SystemCallArchitectures", "x86_64", `did you mean "x86-64"?`},
		{"RestrictAddressFamilies", "AF_INET7", `did you mean "AF_INET"?`},
		{"RestrictAddressFamilies", "AF_INET none", "unknown address family"},
		{"RestrictNamespaces", "mount", `unknown type of namespace "mount"`},
		{"RestrictFileSystems", "ext5", `did you mean "ext`},
		{"RestrictFileSystems", "@temprary", `did you mean "@temporary"?`},
		{"CapabilityBoundingSet", "CAP_NET_ADMN", `unknown capability "CAP_NET_ADMN", did you mean "CAP_NET_ADMIN"?`},
		{"CapabilityBoundingSet", "CAP_OF_THE_FUTURE", `unknown capability "CAP_OF_THE_FUTURE"`},
		{"CapabilityBoundingSet", "63", "unknown capability"},
		{"CapabilityBoundingSet", "-1", "unknown capability"},
		{"SecureBits", "norot", `did you mean "noroot"?`},
		{"Personality", "s390", "unknown architecture of this machine"},
		{"KeyringMode", "public", "must be inherit, private or shared"},
		{"UMask", "0999", "must be an octal file mode"},
		{"LimitNOFILE", "", "must be a number or infinity"},
		{"LimitNOFILE", "5:4", "has a soft limit above the hard one"},
		{"LimitNOFILE", "1K", "must be a number or infinity"},
		{"LimitNOFILE", "1:2:3", "must be a number or infinity"},
		{"LimitNOFILE", "18446744073709551615", "must be a number or infinity"},
		{"LimitAS", "1X", "must be a size"},
		{"LimitCPU", "1X", "must be a time span"},
		{"LimitNICE", "41", "must be a nice level"},
		{"LimitNICE", "-21", "must be a nice level"},
		{"LimitNICE", "infinity", "must be a nice level"},
		{"Nice", "20", "must be a number from -20 to 19"},
		{"OOMScoreAdjust", "1001", "must be a number from -1000 to 1000"},
		{"IOSchedulingClass", "4", "must be none, realtime, best-effort or idle"},
		{"IOSchedulingPriority", "8", "must be a number from 0 to 7"},
		{"CPUSchedulingPolicy", "4", "must be other, fifo, rr, batch, idle or ext"},
		{"CPUSchedulingPriority", "100", "must be a number from 0 to 99"},
		{"CPUSchedulingPriority", "", "must be a number"},
		{"CPUAffinity", "3-1", "must be indices and ranges"},
		{"CPUAffinity", "99999999", "must be indices and ranges"},
		{"NUMAPolicy", "most", "must be default"},
		{"TimerSlackNSec", "", "must be a time span"},
		{"CoredumpFilter", "share", "unknown memory of a core dump"},
		{"StateDirectory", "/a", "must be relative"},
		{"StateDirectory", "a/../b", `must not have ".."`},
		{"StateDirectory", "private/x", `must not be below "private"`},
		{"StateDirectory", "a:b:rw", "must have the flag ro"},
		{"StateDirectory", "a:b:ro:c", "must be NAME"},
		{"ConfigurationDirectory", "a:b", "cannot have a symlink"},
		{"RuntimeDirectoryPreserve", "always", "must be no, yes or restart"},
		{"StateDirectoryMode", "u+x", "must be an octal file mode"},
		{"SetCredential", "a", "must be ID:DATA"},
		{"SetCredential", "a/b:c", "must have the name of a credential"},
		{"SetCredential", `a:\y`, "has a backslash that escapes nothing"},
		{"SetCredentialEncrypted", "a:!", "must have its data in base64"},
		{"LoadCredential", "a:/b/../c", "must have a source"},
		{"LoadCredential", "a:b/c", "must have the name of a credential"},
		{"LoadCredential", ":/a", "must have the name of a credential"},
		{"ImportCredential", "a*b", "must be a name, or the beginning of one"},
		{"ImportCredential", "a*:b/c", "must have the name of a credential"},
		{"Environment", "A", "must have words such as NAME=VALUE"},
		{"Environment", "1A=b", "must have words such as NAME=VALUE"},
		{"Environment", `A=\xff`, "must have words such as NAME=VALUE"},
		{"EnvironmentFile", "a", "must be absolute"},
		{"PassEnvironment", "A=1", "must be names of variables"},
		{"UnsetEnvironment", "A-B", "must be NAME or NAME=VALUE"},
		{"LogExtraFields", "a=b", "must have fields"},
		{"LogExtraFields", "_A=b", "must have fields"},
		{"LogLevelMax", "", "must be emerg"},
		{"LogRateLimitBurst", "-1", "must be a number"},
		{"SyslogFacility", "mai", "must be kern"},
		{"LogFilterPatterns", "~", "lists nothing"},
	}
	for _, test := range tests {
		t.Run(test.name+"="+test.value[:min(len(test.value), 20)], func(t *testing.T) {
			err := New().Set(test.name, test.value)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Table() {
		if seen[d.Name] {
			t.Errorf("%s is there twice", d.Name)
		}
		seen[d.Name] = true
		_, err := Lookup(d.Name)
		if (err != nil) != (d.Refused != "") || errors.Is(err, ErrUnknown) {
			t.Errorf("%s: got %v", d.Name, err)
		}
		if (d.How == "") == (d.Refused == "") || (d.set == nil) == (d.Refused == "") {
			t.Errorf("%s is neither refused nor enforced, or both", d.Name)
		}
		if d.Since != 0 && (d.Since < 187 || d.Since > 262) {
			t.Errorf("%s is new in %d", d.Name, d.Since)
		}
		if d.List && d.Refused == "" {
			if err := New().Set(d.Name, ""); err != nil {
				t.Errorf("%s is a list and can't be emptied: %v", d.Name, err)
			}
		}
	}
	if _, err := Lookup("MemoryMax"); !errors.Is(err, ErrUnknown) {
		t.Errorf("MemoryMax: got %v", err)
	}
	if names := Names(); len(names) < 100 {
		t.Errorf("only %d names: %v", len(names), names)
	}
}

// What systemd has as defaults are values that can be assigned.
func TestDefaultsAreValues(t *testing.T) {
	for _, d := range Table() {
		if d.word == nil {
			continue
		}
		s := New()
		if err := s.Set(d.Name, *d.word(s)); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
}
