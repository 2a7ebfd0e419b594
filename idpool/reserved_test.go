package idpool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// The block of these tests, and a small one at its end.
var (
	testBlock = Block{1 << 20, 65536}
	testSmall = Block{1<<20 + 65536 - 1024, 1024}
)

func TestReserved(t *testing.T) {
	const base, last = 1 << 20, 1<<20 + 65535
	account := func(id int) string {
		return fmt.Sprintf("root:x:0:0:root:/root:/bin/sh\nmallory:x:%d:5::/:/bin/sh\n", id)
	}
	tests := []struct {
		name, file, text string
		block            Block
		want             string // "" when the block is free
	}{
		{"subuid whole", "etc/subuid", "# a comment\nbob:100000:65536\nalice:1048576:65536\n", testBlock, "/etc/subuid:3: alice:1048576:65536; choose another base"},
		{"subuid by number", "etc/subuid", "1000:1048576:65536", testBlock, "/etc/subuid:1: 1000:"},
		{"subuid first ID", "etc/subuid", "a:1048570:7\n", testBlock, "subuid:1"},
		{"subuid ends before", "etc/subuid", "a:1048570:6\n", testBlock, ""},
		{"subuid last ID", "etc/subuid", "a:1114111:1\n", testBlock, "subuid:1"},
		{"subuid begins after", "etc/subuid", "a:1114112:65536\n", testBlock, ""},
		{"subuid inside", "etc/subuid", "a:1050000:1\n", testBlock, "subuid:1"},
		{"subuid around", "etc/subuid", "a:100000:1000000000\nb:1000000:1\n", testBlock, "subuid:1: a:"},
		{"subuid to the end of all", "etc/subuid", "a:100000:99999999999999999999\n", testBlock, "subuid:1"},
		{"subuid hexadecimal", "etc/subuid", "a:0x100000:1\n", testBlock, "subuid:1"},
		{"subuid octal and space", "etc/subuid", "a: 04000000:1\n", testBlock, "subuid:1"},
		{"subuid of no IDs", "etc/subuid", "a:1050000:0\n", testBlock, ""},
		{"subuid unreadable lines", "etc/subuid", "\n:::\na:b:c\na:1050000\n", testBlock, ""},
		{"subuid beside small", "etc/subuid", "a:1048576:64512\n", testSmall, ""},
		{"subuid last of small", "etc/subuid", "a:1114111:1\n", testSmall, "subuid:1"},
		{"subgid", "etc/subgid", "alice:1048576:65536\n", testBlock, "/etc/subgid:1: alice:"},
		{"user at first", "etc/passwd", account(base), testBlock, `/etc/passwd:2: "mallory" has the ID 1048576`},
		{"user at last", "etc/passwd", account(last), testBlock, `/etc/passwd:2: "mallory" has the ID 1114111`},
		{"user between", "etc/passwd", account(base + 5), testBlock, "/etc/passwd:2"},
		{"user before", "etc/passwd", account(base - 1), testBlock, ""},
		{"user after", "etc/passwd", account(last + 1), testBlock, ""},
		{"user at first of small", "etc/passwd", account(last - 1023), testSmall, "/etc/passwd:2"},
		{"user before small", "etc/passwd", account(last - 1024), testSmall, ""},
		{"group at last", "etc/group", fmt.Sprintf("g:x:%d:\n", last), testBlock, `/etc/group:1: "g" has the ID`},
		{"altfiles", "usr/lib/passwd", account(base), testBlock, "/usr/lib/passwd:2"},
		{"userdb user", "run/userdb/1048576.user", "{}", testBlock, "/run/userdb/1048576.user defines an account"},
		{"userdb group", "etc/userdb/1114111.group", "{}", testBlock, "/etc/userdb/1114111.group"},
		{"userdb of the host", "run/host/userdb/1114111.group", "{}", testSmall, "/run/host/userdb/"},
		{"userdb by name", "etc/userdb/x.user", "{}", testBlock, ""},
		{"userdb secrets", "etc/userdb/1048576.user-privileged", "{}", testBlock, ""},
		{"nsresourced user", registryDir + "/u1048576.userns", "{}", testBlock, "systemd-nsresourced gave them away"},
		{"nsresourced group", registryDir + "/g1048576.userns", "{}", testSmall, "systemd-nsresourced"},
		{"nsresourced delegate", registryDir + "/u1048576.delegate", "{}", testBlock, "systemd-nsresourced"},
		{"nsresourced neighbour", registryDir + "/u1114112.userns", "{}", testBlock, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pool := Pool{Root: t.TempDir()}
			write(t, pool.Root, test.file, test.text)
			request := Request{Name: "web", Base: test.block.Base, Size: test.block.Size}
			if test.want == "" {
				closeLease(t, acquire(t, pool, request))
				return
			}
			if taken := wantInUse(t, pool, request, test.want); taken.Locked {
				t.Error("the error says that a lock is in the way")
			}
			wantNoFiles(t, pool)
		})
	}
}

// What is reserved is passed over, not an error, when the pool chooses.
func TestChoosesAroundReserved(t *testing.T) {
	pool := Pool{Root: t.TempDir(), First: firstBase, Last: firstBase + 3*chunkSize}
	write(t, pool.Root, "etc/subuid", fmt.Sprintf("a:%d:65536\nb:%d:131072\n", firstBase, firstBase+2*chunkSize))
	lease := acquire(t, pool, Request{Name: "web", Size: 65536})
	defer lease.Close()
	if got := lease.Block().Base; got != firstBase+chunkSize {
		t.Errorf("got %d, want %d", got, firstBase+chunkSize)
	}
	_, err := pool.Acquire(t.Context(), Request{Name: "db", Size: 65536})
	var full *FullError
	if !errors.As(err, &full) || full.Held != 1 || full.Reserved != 3 || !strings.Contains(err.Error(), "etc/subuid:") {
		t.Errorf("error %v", err)
	}
}

func TestUnreadableFileRefuses(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	if err := os.MkdirAll(pool.path("etc/subuid"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Acquire(t.Context(), Request{Name: "web", Size: 65536}); err == nil || !strings.Contains(err.Error(), "subuid") {
		t.Errorf("error %v, want one that names subuid", err)
	}
}

func TestForeignSource(t *testing.T) {
	tests := []struct {
		name, conf string
		compat     bool
		want       string
	}{
		{"none", "", false, ""},
		{"usual", "passwd: files systemd\ngroup: files [SUCCESS=merge] systemd # ldap\nshadow: files ldap\nhosts: dns\n", false, ""},
		{"containers", "passwd:files altfiles mymachines\n", false, ""},
		{"sss", "passwd: files sss\n", false, "sss"},
		{"group only", "passwd: files\n group : files winbind\n", false, "winbind"},
		{"after an action", "passwd: files [NOTFOUND=return TRYAGAIN=continue] ldap", false, "ldap"},
		{"open action", "passwd: files [NOTFOUND=return ldap", false, ""},
		{"compat without NIS", "passwd: compat\n", false, ""},
		{"compat with NIS", "passwd: compat\n", true, "compat"},
		{"plus lines without compat", "passwd: files\n", true, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := foreignSource(test.conf, test.compat); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestGetent(t *testing.T) {
	request := Request{Name: "web", Base: testBlock.Base, Size: testBlock.Size}
	tests := []struct{ name, script, want string }{
		{"knows neither", `exit 2`, ""},
		{"knows the last user", `[ "$1 $3" = "passwd 1114111" ] && echo alice:x:1114111:5::/:; exit 2`, `the passwd database has "alice:x:1114111:5::/:"`},
		{"knows the first group", `[ "$1 $2" = "group 1048576" ] || exit 2; echo g:x:1048576:; exit 2`, `the group database has "g:`},
		{"knows both", `echo a; echo b; exit 0`, `the passwd database has "a"`},
		{"fails", `exit 1`, "exit status 1; make the sources of nsswitch.conf answer"},
		{"is killed", `kill -9 $$`, "signal: killed"},
		{"hangs", `sleep 20`, "no answer within 2s"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pool := Pool{Root: t.TempDir()}
			write(t, pool.Root, "etc/nsswitch.conf", "passwd: files sss\n")
			write(t, pool.Root, "usr/bin/getent", "#!/bin/sh\n"+test.script+"\n")
			begin := time.Now()
			lease, err := pool.Acquire(t.Context(), request)
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				closeLease(t, lease)
			} else if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			wantNoFiles(t, pool)
		})
	}
}

func TestGetentKnowsEveryBlock(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	write(t, pool.Root, "etc/nsswitch.conf", "passwd: files ldap\n")
	write(t, pool.Root, "usr/bin/getent", "#!/bin/sh\necho somebody\n")
	_, err := pool.Acquire(t.Context(), Request{Name: "web", Size: 65536})
	var full *FullError
	if !errors.As(err, &full) || full.Lookups != maxLookups || !strings.Contains(err.Error(), "somebody") {
		t.Errorf("error %v", err)
	}
	wantNoFiles(t, pool)
}

func TestNoGetent(t *testing.T) {
	for name, file := range map[string]string{"ldap": "etc/nsswitch.conf", "org.example.Directory": "run/systemd/userdb/org.example.Directory"} {
		pool := Pool{Root: t.TempDir()}
		write(t, pool.Root, file, "passwd: files ldap\n")
		_, err := pool.Acquire(context.Background(), Request{Name: "web", Size: 65536})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("users come from %q", name)) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestSystemdsOwnServicesNeedNoGetent(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	write(t, pool.Root, "run/systemd/userdb/io.systemd.Machine", "")
	write(t, pool.Root, "etc/nsswitch.conf", "passwd: files systemd\n")
	closeLease(t, acquire(t, pool, Request{Name: "web", Size: 65536}))
}

func TestParseC(t *testing.T) {
	tests := []struct {
		text string
		want uint64
		ok   bool
	}{
		{"0", 0, true}, {"65536", 65536, true}, {"0x10", 16, true}, {"010", 8, true}, {" +7", 7, true},
		{"4294967296", 1 << 32, true}, {"99999999999999999999", 1 << 32, true}, {"00000000000000000010", 8, true},
		{"", 0, false}, {"-1", 0, false}, {"08", 0, false}, {"1 ", 0, false}, {"1_0", 0, false}, {"x", 0, false},
	}
	for _, test := range tests {
		got, ok := parseC([]byte(test.text))
		if ok != test.ok || (ok && got != test.want) {
			t.Errorf("parseC(%q) = %d, %t; want %d, %t", test.text, got, ok, test.want, test.ok)
		}
	}
}
