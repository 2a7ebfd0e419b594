package integration

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"berth/test/host"
)

// sandboxTable writes settings, each NAME=VALUE as in a unit file, as the table
// [sandbox].
func sandboxTable(settings ...string) string {
	values := map[string][]string{}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		values[name] = append(values[name], strconv.Quote(value))
	}
	var b strings.Builder
	fmt.Fprintln(&b, "[sandbox]")
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&b, "%s = [%s]\n", name, strings.Join(values[name], ", "))
	}
	return b.String()
}

// serviceOf names a service of a test's own.
func serviceOf(t *testing.T) string {
	return "fromhost-" + strings.Map(func(r rune) rune {
		if r == '/' || r == '#' {
			return '-'
		}
		return r
	}, t.Name()) + ".service"
}

// runService runs a script in the test's service with the settings. They come to it as lines of a file, and neither they nor the script pass through
// systemd-run's own syntax.
func runService(t *testing.T, h *host.Host, option, script string, settings ...string) result {
	t.Helper()
	writeFile(t, h, "/usr/local/bin/fromhost.sh", script)
	dropIns := "/run/systemd/system/" + serviceOf(t) + ".d"
	shell(t, h, "mkdir -p "+dropIns)
	defer shell(t, h, "rm -r "+dropIns)
	shell(t, h, "cat > "+dropIns+"/settings.conf <<'END'\n[Service]\n"+strings.Join(settings, "\n")+"\nEND")
	got := run(t, h, "systemd-run", option, "--wait", "--quiet", "--collect", "--unit="+serviceOf(t), "sh", "/usr/local/bin/fromhost.sh")
	if got.Status != 0 {
		t.Fatalf("systemd-run %q: %+v", settings, got)
	}
	return got
}

// underSystemd returns what a script prints in a service.
func underSystemd(t *testing.T, h *host.Host, script string, settings ...string) string {
	t.Helper()
	return strings.TrimSuffix(runService(t, h, "--pipe", script, settings...).Stdout, "\n")
}

// variables prints those whose names begin with N_, one per line whatever is in
// them.
const variables = `env -0 | tr '\n\0' '\001\n' | grep ^N_ | LC_ALL=C sort`

// A file that has a bit of everything.
const nastyEnvironment = "N_PLAIN=value\n" +
	"  N_INDENTED = blanks around  \n" +
	"# N_COMMENT=1\n; N_COMMENT2=1\n" +
	"N_HASH=a # b\nN_QUOTED_HASH=\"a\" # b\n" +
	"export N_EXPORT=1\nN_1=digits\n1N_=bad\nN_DASH-=bad\n" +
	"nothing is assigned\n=\n==x\n" +
	"N_EMPTY=\nN_EMPTY2=''\nN_EMPTY3=\"\"  \n" +
	"N_SINGLE='a\\n\\\n\"$b\" '\n" +
	"N_DOUBLE=\"a \\\" \\\\ \\$ \\` \\n \\\n'b'\nc\"\n" +
	"N_PIECES='a'\"b\"  c d  \nN_WORD=a'b'\"c\"\n" +
	"N_ESCAPED=\\a\\ \\\\b\\\nc \\\n  d\nN_KEPT=a\\ \nN_JOINED=a \\\n\nN_AFTER=1\n" +
	"N_TWICE=1\nN_TWICE=2\n" +
	"N_EQUALS==a=b=\nN_UTF8=äöü€\nN_TAB=a\tb\t\nN_CR=a\r\nN_CRQ='a\r\nb'\n" +
	"N_BELL=\a\x1b\n" +
	"N_OPEN='until the end\nN_NOT=1\n"

func TestEnvironmentFileIsReadAsSystemdDoes(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, test := range []struct {
			name, content string
			since         int
		}{
			{"nasty", nastyEnvironment, 0},
			{"comment with a backslash", "# x \\\nN_A=1\n# y\\z\nN_B=2\n", 254},
			{"ends in a backslash", "N_A=a \\", 0},
			{"ends in a quoted backslash", "N_A=\"a\\", 0},
			{"ends in a key", "N_A=1\nN_B", 0},
		} {
			t.Run(test.name, func(t *testing.T) {
				if systemdVersion(t, h) < test.since {
					t.Skipf("systemd reads it so since %d", test.since)
				}
				writeFile(t, h, "/etc/default/nasty", test.content)
				const setting = "EnvironmentFile=/etc/default/nasty"
				want := underSystemd(t, h, variables, setting)
				got := inside(t, h, sandboxTable(setting), variables)
				if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" || want == "" {
					t.Errorf("(-systemd +berth):\n%s", diff)
				}
			})
		}
	})
}

func TestEnvironmentFilesAndPrecedence(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		writeFile(t, h, "/etc/default/env.d/20-b", "N_A=b\nN_B=b\n")
		writeFile(t, h, "/etc/default/env.d/10-a", "N_A=a\nN_FILE=a\nN_GONE=file\nN_VALUE=this\n")
		writeFile(t, h, "/etc/default/env.d/.hidden", "N_A=hidden\n")
		settings := []string{
			"Environment=N_A=setting N_SETTING=setting", `Environment="N_SPACE=a b" N_FILE=setting STATE_DIRECTORY=/mine`,
			"EnvironmentFile=-/etc/default/none", "EnvironmentFile=-/etc/default/none*", "EnvironmentFile=/etc/default/env.d/*",
			"UnsetEnvironment=N_GONE N_VALUE=this N_SETTING=other HOME USER=root", "StateDirectory=nasty", "User=root",
		}
		const script = variables + `; echo ${HOME-unset} ${USER-unset} $STATE_DIRECTORY`
		want := underSystemd(t, h, script, settings...)
		shell(t, h, "rm -r /var/lib/nasty")
		got := inside(t, h, sandboxTable(settings[:len(settings)-1]...), script)
		shell(t, h, "rm -r /var/lib/nasty /var/lib/private/nasty")
		if diff := cmp.Diff(want, got); diff != "" || !strings.Contains(got, "unset unset /mine") {
			t.Errorf("(-systemd +berth):\n%s", diff)
		}
		for _, file := range []string{"/etc/default/none", "/etc/default/none*"} {
			define(t, h, "box", sandboxTable("EnvironmentFile="+file))
			if got := berth(t, h, "run", "box", "--", "true"); got.Status != 125 || !strings.Contains(got.Stderr, "/etc/berth/box.toml:2:") {
				t.Errorf("%s: got %+v", file, got)
			}
		}
	})
}

func TestPassEnvironment(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", sandboxTable("PassEnvironment=N_PASSED N_MISSING"))
		got := shell(t, h, "N_PASSED='a b' N_KEPT=1 berth run box -- sh -c \""+strings.ReplaceAll(variables, `\`, `\\`)+"\"")
		if got != "N_PASSED=a b" {
			t.Errorf("got %q", got)
		}
	})
}

// credentials prints all that can be seen of them.
const credentials = `cd $CREDENTIALS_DIRECTORY && stat -c '%n %u:%g %a' . * && sha256sum *`

func TestCredentialsAreThoseOfSystemd(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		h = sharedHost(t, h)
		writeFile(t, h, "/etc/credentials-for-test/plain", "a secret\x00\n")
		writeFile(t, h, "/etc/credentials-for-test/tree/a", "A")
		writeFile(t, h, "/etc/credentials-for-test/tree/sub/b", "B")
		writeFile(t, h, "/etc/credentials-for-test/tree/.hidden", "no")
		writeFile(t, h, "/etc/credstore/b6.user", "user")
		writeFile(t, h, "/run/credstore/b6.user", "not the first")
		writeFile(t, h, "/run/credstore/b6.password", "password")
		for _, test := range []struct {
			name     string
			since    int
			settings []string
		}{
			{"files and fallbacks", 0, []string{
				"LoadCredential=plain:/etc/credentials-for-test/plain", "LoadCredential=tree:/etc/credentials-for-test/tree",
				"LoadCredential=unset:/nowhere", "SetCredential=unset:fallback", "SetCredential=plain:not this",
				`SetCredential=bytes:a\x00b\nc`, "LoadCredential=b6.user", "LoadCredential=named:b6.password", "LoadCredential=missing",
			}},
			{"imported", 254, []string{"ImportCredential=b6.*", "SetCredential=b6.user:not this", "SetCredential=b6.other:this"}},
			{"imported under another name", 257, []string{"ImportCredential=b6.*:other."}},
		} {
			t.Run(test.name, func(t *testing.T) {
				if systemdVersion(t, h) < test.since {
					t.Skipf("needs systemd %d", test.since)
				}
				want := underSystemd(t, h, credentials, test.settings...)
				got := inside(t, h, sandboxTable(test.settings...), credentials)
				if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
					t.Errorf("(-systemd +berth):\n%s", diff)
				}
			})
		}
	})
}

// sharedHost boots a host of which systemd can mount the credentials of its
// services: it makes them in a mount namespace that has to propagate.
func sharedHost(t *testing.T, like *host.Host) *host.Host {
	t.Helper()
	h := ownHost(t, like)
	shell(t, h, "mount --make-rshared /")
	return h
}

func TestEncryptedCredentials(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		h = sharedHost(t, h)
		shell(t, h, "systemd-creds setup >/dev/null 2>&1 || true; mkdir -p /etc/credstore.encrypted; printf sealed | systemd-creds encrypt --with-key=host --name=b6.sealed - /etc/credstore.encrypted/b6.sealed")
		defer shell(t, h, "rm /etc/credstore.encrypted/b6.sealed")
		text := shell(t, h, "printf set | systemd-creds encrypt --with-key=host --name=set - - | tr -d '\\n'")
		settings := []string{"LoadCredentialEncrypted=b6.sealed:/etc/credstore.encrypted/b6.sealed", "SetCredentialEncrypted=set:" + text}
		if systemdVersion(t, h) >= 254 {
			settings = append(settings, "ImportCredential=b6.*")
		}
		want := underSystemd(t, h, credentials, settings...)
		got := inside(t, h, sandboxTable(settings...), credentials)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-systemd +berth):\n%s", diff)
		}
		// One that was encrypted under another name is refused.
		define(t, h, "box", sandboxTable("LoadCredentialEncrypted=other:/etc/credstore.encrypted/b6.sealed"))
		if got := berth(t, h, "run", "box", "--", "true"); got.Status != 125 || !strings.Contains(got.Stderr, "other") {
			t.Errorf("got %+v", got)
		}
	})
}

// Only the payload's user can read them, and nobody can change them.
func TestCredentialsAreLocked(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		table := sandboxTable("SetCredential=token:hush")
		got := inside(t, h, table+"[process]\nuser = \"www-data\"\n", `
cd $CREDENTIALS_DIRECTORY; cat token; echo; stat -c '%U %a' . token
(echo x > token) 2>/dev/null || echo kept; chmod 600 token 2>/dev/null || echo kept; touch new 2>/dev/null || echo kept`)
		if want := "hush\nwww-data 500\nwww-data 400\nkept\nkept\nkept"; got != want {
			t.Errorf("as the user: got %q, want %q", got, want)
		}
		got = inside(t, h, table, `
cd $CREDENTIALS_DIRECTORY; cat token; echo
chmod 600 token 2>/dev/null || echo kept
mount -o remount,rw $PWD 2>/dev/null || echo kept
mkdir /tmp/x; mount --bind $PWD /tmp/x && mount -o remount,bind,rw /tmp/x 2>/dev/null || echo kept`)
		if want := "hush\nkept\nkept\nkept"; got != want {
			t.Errorf("as root: got %q, want %q", got, want)
		}
		c := idle(t, h, "box", table)
		defer c.stop()
		if got := shell(t, h, "ls -A /run/credentials/berth-box.scope 2>/dev/null || true; berth inspect box | grep hush || true; grep -r hush /run/berth /run/systemd/transient 2>/dev/null || true"); got != "" {
			t.Errorf("on the host: %s", got)
		}
	})
}

func TestCredentialIsMissing(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", sandboxTable("LoadCredential=key:/nowhere"))
		got := berth(t, h, "run", "box", "--", "true")
		if got.Status != 125 || !strings.Contains(got.Stderr, "/etc/berth/box.toml:2:") || !strings.Contains(got.Stderr, `"key"`) {
			t.Errorf("got %+v", got)
		}
	})
}

// directories prints mode and owner of each as it is seen inside, the payload's
// user as "me", and whether it can be written.
const directories = `for d in $(echo $STATE_DIRECTORY:$CACHE_DIRECTORY:$LOGS_DIRECTORY:$RUNTIME_DIRECTORY | tr : ' '); do
stat -Lc "$(echo $d | sed s,/private/,/,) %a %U:%G" $d | sed "s/$(id -un):$(id -gn)/me/"; touch $d/x 2>/dev/null && echo written && rm $d/x; done; true`

func TestDirectoriesAreThoseOfDynamicUsers(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		cleanUp := "rm -rf /var/lib/private/b6* /var/lib/b6* /var/cache/private/b6* /var/cache/b6* /var/log/private/b6* /var/log/b6*"
		defer shell(t, h, cleanUp)
		// On disk, less the owner, who is 0 or a dynamic user's number.
		const disk = `cd /var; find lib/b6* lib/private cache/b6* cache/private log/b6* log/private -printf '%p %y %m %l\n' | sed 's, \.*/*private, private,' | sort`
		settings := []string{
			"StateDirectory=b6 b6-more/deep b6/below", "StateDirectoryMode=0750", "CacheDirectory=b6", "LogsDirectory=b6 b6-two", "LogsDirectoryMode=0700",
			"RuntimeDirectory=b6 b6/sub", "RuntimeDirectoryMode=0711", "ProtectSystem=strict",
		}
		want := underSystemd(t, h, directories, append(settings, "DynamicUser=yes")...)
		wantDisk := shell(t, h, disk)
		shell(t, h, cleanUp)
		got := inside(t, h, sandboxTable(settings...)+"[process]\nuser = \"www-data\"\n", directories)
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("inside (-systemd +berth):\n%s", diff)
		}
		if diff := cmp.Diff(wantDisk, shell(t, h, disk)); diff != "" {
			t.Errorf("on disk (-systemd +berth):\n%s", diff)
		}
		if left := shell(t, h, "ls -d /run/b6 /run/private/b6 2>/dev/null || true"); left != "" {
			t.Errorf("left: %s", left)
		}
	})
}

// systemd gives a new one to the service's user; here that would be a hole.
func TestConfigurationDirectoryIsTheHosts(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		defer shell(t, h, "rm -r /etc/b6")
		writeFile(t, h, "/etc/b6/settings", "for root")
		shell(t, h, "chmod 600 /etc/b6/settings; chmod 750 /etc/b6")
		got := inside(t, h, sandboxTable("ConfigurationDirectory=b6 b6/new", "ConfigurationDirectoryMode=0700", "ProtectSystem=no"), `
cat $(echo $CONFIGURATION_DIRECTORY | cut -d: -f1)/settings; echo
stat -c '%u:%g %a' /etc/b6 /etc/b6/settings /etc/b6/new; touch /etc/b6/new/x 2>/dev/null || echo refused; chmod 4755 /etc/b6/settings 2>/dev/null || echo refused`)
		if want := "for root\n0:0 750\n0:0 600\n0:0 700\nrefused\nrefused"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestStateDirectoryStays(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		defer shell(t, h, "rm -rf /var/lib/private/b6 /var/lib/b6")
		root := smallRoot(t, h)
		body := sandboxTable("StateDirectory=b6:b6-link:", "ProtectSystem=strict") + fmt.Sprintf("[root]\ndirectory = %q\nvolatile = \"overlay\"\n", root)
		inside(t, h, body, "echo kept > /var/lib/b6-link/file; mkdir /var/lib/b6/dir")
		shell(t, h, "cp /bin/true /var/lib/b6/; chmod 4755 /var/lib/b6/true")
		if got := shell(t, h, "stat -c '%u %a' /var/lib/private /var/lib/b6/. /var/lib/b6/file"); got != "0 700\n0 755\n0 644" {
			t.Errorf("root's on disk: %q", got)
		}
		// Another user of the same container gets all of it, and no setuid program.
		got := inside(t, h, body+"[process]\nuser = \"worker\"\n", "cat /var/lib/b6/file; stat -c %U:%a /var/lib/b6 /var/lib/b6/file /var/lib/b6/dir /var/lib/b6/true; touch /var/lib/b6/dir/x && echo mine; touch /var/lib/x 2>/dev/null || echo strict")
		if want := "kept\nworker:755\nworker:644\nworker:755\nworker:755\nmine\nstrict"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A directory that is the host's own is not taken from it, and no symlink leads
// a container anywhere.
func TestDirectoryIsNotTaken(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for _, test := range []struct{ name, before, setting string }{
			{"the host's directory", "mkdir /var/lib/b6; touch /var/lib/b6/canary", "StateDirectory=b6"},
			{"a symlink elsewhere", "ln -s /etc /var/lib/b6", "StateDirectory=b6"},
			{"a symlink in private", "mkdir -p -m 700 /var/lib/private; ln -s /etc /var/lib/private/b6", "StateDirectory=b6"},
			{"a symlink of another container's", "mkdir -p -m 700 /var/lib/private; mkdir /var/lib/private/b6; ln -s /etc /var/lib/private/b6/below", "StateDirectory=b6 b6/below"},
			{"a symlink for configuration", "ln -s /root /etc/b6", "ConfigurationDirectory=b6"},
		} {
			t.Run(test.name, func(t *testing.T) {
				shell(t, h, test.before)
				defer shell(t, h, "rm -rf /var/lib/b6 /var/lib/private/b6 /etc/b6")
				before := tree(t, h, "/etc")
				got := runContainer(t, h, "box", sandboxTable(test.setting), "touch", "/var/lib/b6/x", "/etc/b6/x")
				if got.Status != 125 {
					t.Errorf("got %+v", got)
				}
				if diff := cmp.Diff(before, tree(t, h, "/etc")); diff != "" && !strings.Contains(diff, "berth/box.toml") {
					t.Errorf("/etc changed:\n%s", diff)
				}
			})
		}
	})
}

func TestRuntimeDirectoryPreserve(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		defer shell(t, h, "rm -rf /run/private/b6 /run/b6")
		for _, test := range []struct{ preserve, second string }{
			{"no", "gone"}, {"restart", "gone"}, {"yes", "there"},
		} {
			body := sandboxTable("RuntimeDirectory=b6", "RuntimeDirectoryPreserve="+test.preserve)
			const script = "test -e /run/b6/x && echo there || echo gone; touch /run/b6/x"
			if got := inside(t, h, body, script) + " " + inside(t, h, body, script); got != "gone "+test.second {
				t.Errorf("%s: got %q", test.preserve, got)
			}
			if left := shell(t, h, "ls -d /run/b6 /run/private/b6 2>/dev/null || true"); (left != "") != (test.preserve == "yes") {
				t.Errorf("%s: left %q", test.preserve, left)
			}
		}
	})
}

// logged prints what of a unit's entries the settings are about.
const logged = `journalctl --sync; journalctl -q -o verbose -u %s _TRANSPORT=stdout |
sed -n 's/^ *\(MESSAGE\|PRIORITY\|SYSLOG_IDENTIFIER\|SYSLOG_FACILITY\|N_[A-Z]*\)=/\1=/p'`

func TestJournalSettingsAreThoseOfSystemd(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		for i, test := range []struct {
			name     string
			since    int
			script   string
			never    string // what may not be logged
			settings []string
		}{
			{"stream", 0, "echo one; echo '<2>two'; echo '<x>three'", "", []string{"SyslogIdentifier=speaker", "SyslogFacility=local3", "SyslogLevel=notice", "SyslogLevelPrefix=yes"}},
			{"without prefix", 0, "echo '<2>two'", "", []string{"SyslogFacility=daemon", "SyslogLevel=debug", "SyslogLevelPrefix=no"}},
			{"extra fields", 0, "echo one; sleep 1.2; echo two", "", []string{`LogExtraFields=N_A=1 "N_B=a b"`, "LogExtraFields=N_C=äö"}},
			{"level", 0, "echo '<4>four'; echo '<5>five'; echo '<0>zero'", "MESSAGE=five", []string{"LogLevelMax=warning", "SyslogLevelPrefix=yes"}},
			{"rate limit", 0, "seq 1000", "MESSAGE=1000", []string{"LogRateLimitIntervalSec=1h", "LogRateLimitBurst=5"}},
			{"filter", 253, "sleep 1.5; echo wanted; echo 'wanted not'; echo other; sleep 0.3", "MESSAGE=other", []string{"LogFilterPatterns=want.*", "LogFilterPatterns=~not"}},
		} {
			t.Run(test.name, func(t *testing.T) {
				if systemdVersion(t, h) < test.since {
					t.Skipf("needs systemd %d", test.since)
				}
				// What both set alike: the identifier and facility that they don't have in common.
				settings := append([]string{"SyslogIdentifier=id", "SyslogFacility=user", "SyslogLevel=info"}, test.settings...)
				name := fmt.Sprintf("logged%d", i)
				runContainer(t, h, name, sandboxTable(settings...), "sh", "-c", test.script)
				got := shell(t, h, fmt.Sprintf(logged, "berth-"+name+".scope"))
				if test.never != "" && strings.Contains(got, test.never) {
					t.Errorf("%s is logged:\n%s", test.never, got)
				}
				diff := "nothing was compared"
				// journald hears of a service's settings late at times, and lets through what it should not.
				for try := 0; diff != "" && try < 5; try++ {
					t.Run("systemd", func(t *testing.T) {
						runService(t, h, "--service-type=exec", test.script, settings...)
						want := shell(t, h, fmt.Sprintf(logged, serviceOf(t)))
						if diff = cmp.Diff(sortedLines(want), sortedLines(got)); want == "" {
							t.Error("systemd logged nothing")
						}
					})
				}
				if diff != "" {
					t.Errorf("(-systemd +berth):\n%s", diff)
				}
			})
		}
		if left := shell(t, h, "ls /run/systemd/units | grep log-.*berth || true"); left != "" {
			t.Errorf("left: %s", left)
		}
	})
}

func sortedLines(s string) []string {
	lines := strings.Split(s, "\n")
	slices.Sort(lines)
	return lines
}

// A killed berth can't take back what it told journald; whoever comes next does.
func TestJournalSettingsOfAKilledBerth(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", sandboxTable("LogExtraFields=N_A=1"))
		const list = "ls /run/systemd/units | grep log-.*berth || true"
		if got := shell(t, h, list); got != "log-extra-fields:berth-box.scope" {
			t.Errorf("while it runs: %q", got)
		}
		c.signal(9)
		c.wait()
		eventually(t, "the scope is gone", func() bool { return run(t, h, "systemctl", "is-active", "--quiet", c.scope()).Status != 0 })
		berth(t, h, "ps")
		if left := shell(t, h, list); left != "" {
			t.Errorf("left: %s", left)
		}
		forget(t, h)
	})
}
