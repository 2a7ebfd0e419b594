package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"berth/config"
	"berth/launcher"
	"berth/sandbox/exposure"
	"berth/test/host"

	"github.com/google/go-cmp/cmp"
)

// scored is a service that is to be scored.
type scored struct {
	name string // of the unit, without .service
	text string // the file; it has no line that begins with "="
}

// scoreOf is what of a score must be equal.
type scoreOf struct {
	Overall string // as printed: 3.1 OK
	Checks  map[string]checkOf
}

// checkOf is a check as systemd-analyze --json has it.
type checkOf struct {
	Name     string  `json:"name"`
	Field    string  `json:"json_field"`
	Set      *bool   `json:"set"`
	Exposure *string `json:"exposure"`
}

// The score of portable's profiles, and of services with settings drawn at
// random, is systemd's own to the last check.
func TestExposureIsSystemds(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		version := systemdVersion(t, h)
		services := portableProfiles(t, h)
		random := rand.New(rand.NewPCG(1, uint64(h.Suite().Systemd)))
		for i := range 300 {
			services = append(services, scored{fmt.Sprintf("random%d", i), serviceFile(drawService(random, version))})
		}
		compareScores(t, h, services, func(s scored) exposure.Report { return exposure.Assess(parseService(t, s.text), version) })
	})
}

// compareScores has systemd-analyze score the services, and compares.
func compareScores(t *testing.T, h *host.Host, services []scored, assess func(scored) exposure.Report) {
	t.Helper()
	want := analyze(t, h, services)
	overalls := map[string]int{}
	for i, s := range services {
		got := asSystemd(assess(s))
		overalls[got.Overall]++
		if diff := cmp.Diff(want[i], got); diff != "" {
			t.Errorf("%s (-systemd +berth):\n%s%s", s.name, diff, s.text)
		}
	}
	if len(services) > 100 && len(overalls) < 20 {
		t.Errorf("only %d different scores among %d services: %v", len(overalls), len(services), overalls)
	}
}

// asSystemd is a report of berth's in the form of systemd's.
func asSystemd(r exposure.Report) scoreOf {
	s := scoreOf{Overall: fmt.Sprintf("%s %s", r.Exposure, r.Rating), Checks: map[string]checkOf{}}
	for _, c := range r.Checks {
		check := checkOf{Name: c.Name, Field: c.Field}
		if c.Applies {
			good := c.Good()
			check.Set = &good
			if !good {
				text := c.Exposure.String()
				check.Exposure = &text
			}
		}
		s.Checks[c.Field] = check
	}
	return s
}

// analyze asks systemd-analyze for the scores, of all services in two calls.
func analyze(t *testing.T, h *host.Host, services []scored) []scoreOf {
	t.Helper()
	var files strings.Builder
	for _, s := range services {
		fmt.Fprintf(&files, "=%s.service\n%s\n", s.name, s.text)
	}
	got := runWithInput(t, h, files.String(), "/bin/sh", "-euc", `
		dir=$(mktemp -d)
		trap 'rm -r "$dir"' EXIT
		cd "$dir"
		awk '/^=/ { file = substr($0, 2); print file > "order"; next } { print > file }'
		set -- $(sed "s,^,$dir/," order)
		systemd-analyze security --offline=yes --no-pager "$@" 2>/dev/null | grep Overall
		systemd-analyze security --offline=yes --no-pager --json=short "$@" 2>/dev/null`)
	if got.Status != 0 {
		t.Fatalf("cannot analyze: %+v", got)
	}
	return readScores(t, services, got.Stdout)
}

// readScores reads a line for each service, and an array for each.
func readScores(t *testing.T, services []scored, output string) []scoreOf {
	t.Helper()
	overall := regexp.MustCompile(`Overall exposure level for (\S+)\.service: (\d+\.\d \w+)`)
	var scores []scoreOf
	for _, s := range services {
		line, rest, _ := strings.Cut(output, "\n")
		match := overall.FindStringSubmatch(line)
		if match == nil || match[1] != s.name {
			t.Fatalf("systemd has no score of %s, but %q", s.name, line)
		}
		scores = append(scores, scoreOf{Overall: match[2], Checks: map[string]checkOf{}})
		output = rest
	}
	decoder := json.NewDecoder(strings.NewReader(output))
	for i := range services {
		var checks []checkOf
		if err := decoder.Decode(&checks); err != nil {
			t.Fatalf("cannot read systemd's checks of %s: %v", services[i].name, err)
		}
		for _, c := range checks {
			scores[i].Checks[c.Field] = c
		}
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Fatal("systemd scored more than it was asked for")
	}
	return scores
}

// portableProfiles are the profiles of portablectl(1) as services.
func portableProfiles(t *testing.T, h *host.Host) []scored {
	t.Helper()
	var services []scored
	for name := range strings.FieldsSeq(shell(t, h, "ls /usr/lib/systemd/portable/profile")) {
		text := shell(t, h, "cat /usr/lib/systemd/portable/profile/"+name+"/service.conf")
		services = append(services, scored{"portable-" + name, text + "\nExecStart=/bin/true\n"})
	}
	if len(services) < 4 {
		t.Fatalf("only %d profiles", len(services))
	}
	return services
}

// serviceFile writes assignments as a file.
func serviceFile(lines []string) string {
	unit, service := "[Unit]\n", "[Service]\nExecStart=/bin/true\n"
	for _, line := range lines {
		if strings.HasPrefix(line, "DefaultDependencies=") {
			unit += line + "\n"
		} else {
			service += line + "\n"
		}
	}
	return unit + service
}

// parseService reads a file as systemd.syntax(7) explains it.
func parseService(t *testing.T, text string) exposure.Unit {
	t.Helper()
	u := exposure.NewUnit()
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.ContainsAny(line[:1], "#;[") {
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		if err := u.Set(name, strings.TrimSpace(value)); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return u
}

// choice is a setting and values to draw from. The older systemd doesn't know
// values that begin with "257:".
type choice struct {
	name   string
	most   int // assignments
	values []string
}

// drawService makes up settings. Each is there with a probability that differs
// between services, so that scores come from the whole range.
func drawService(random *rand.Rand, version int) []string {
	var lines []string
	density := random.Float64()
	for _, c := range choices() {
		if random.Float64() > density {
			continue
		}
		for range 1 + random.IntN(c.most) {
			value := c.values[random.IntN(len(c.values))]
			if since, newer, found := strings.Cut(value, "|"); found {
				if n, err := strconv.Atoi(since); err != nil || n > version {
					continue
				}
				value = newer
			}
			lines = append(lines, c.name+"="+value)
		}
	}
	return lines
}

// choices lists what the checks look at. A value "257|full" is drawn for systemd
// 257 and newer.
func choices() []choice {
	list := []choice{
		{"User", 1, []string{"root", "0", "nobody", "daemon", "1000", "www-data"}},
		{"DynamicUser", 1, []string{"yes", "no"}},
		{"SupplementaryGroups", 2, []string{"audio", "audio video", ""}},
		{"PrivateTmp", 1, []string{"yes", "no", "257|disconnected"}},
		{"PrivateUsers", 1, []string{"yes", "no", "257|self", "257|identity", "258|full"}},
		{"ProtectControlGroups", 1, []string{"yes", "no", "257|private", "257|strict"}},
		{"ProtectHostname", 1, []string{"yes", "no", "258|private"}},
		{"ProtectHome", 1, []string{"yes", "no", "read-only", "tmpfs"}},
		{"ProtectSystem", 1, []string{"yes", "no", "full", "strict"}},
		{"ProtectProc", 1, []string{"default", "noaccess", "invisible", "ptraceable"}},
		{"ProcSubset", 1, []string{"all", "pid"}},
		{"PrivateMounts", 1, []string{"yes"}},
		{"RootDirectory", 1, []string{"/", "/srv", ""}},
		{"RootImage", 1, []string{"/srv/x.raw", "", ""}},
		{"KeyringMode", 1, []string{"private", "shared", "inherit"}},
		{"UMask", 1, []string{"0022", "0077", "0007", "0027", "0000", "0037", "0777", "0002", "022"}},
		{"NotifyAccess", 1, []string{"none", "main", "exec", "all"}},
		{"Delegate", 1, []string{"yes", "no", "memory pids"}},
		{"RestrictNamespaces", 3, append(strings.Fields("yes no user ~user mnt ~mnt uts ~net ~cgroup"), "", "user net uts", "~ipc pid", "~user mnt ipc pid net", "cgroup time")},
		{"RestrictAddressFamilies", 3, []string{"AF_UNIX", "AF_INET AF_INET6", "~AF_INET", "~AF_PACKET AF_NETLINK", "none", "", "AF_VSOCK", "~AF_BLUETOOTH AF_VSOCK", "AF_PACKET", "AF_NETLINK AF_UNIX", "~AF_INET6 AF_UNIX AF_CAN"}},
		{"SystemCallArchitectures", 2, []string{"native", "native x86", "x86-64", "", "native native", "x32 arm64"}},
		{"IPAddressDeny", 2, []string{"any", "any", "0.0.0.0/0", "::/0", "0.0.0.0/0 ::/0", "10.0.0.0/8", "", "localhost"}},
		{"IPAddressAllow", 2, []string{"localhost", "127.0.0.1", "::1", "127.0.0.7/8", "::1/64", "10.1.2.3", "any", "", "link-local", "multicast", "localhost 192.0.2.0/24"}},
		{"DevicePolicy", 1, []string{"auto", "closed", "strict"}},
		{"DeviceAllow", 2, []string{"/dev/null rw", "char-pts", "", "/dev/fuse"}},
		{"CapabilityBoundingSet", 3, capabilityValues("CAP_CHOWN CAP_KILL", "~CAP_SYS_ADMIN CAP_SYS_PTRACE", "", "~CAP_SETUID CAP_SETGID CAP_SETPCAP", "~CAP_SETPCAP")},
		{"AmbientCapabilities", 2, []string{"CAP_KILL", "", "CAP_NET_ADMIN CAP_NET_RAW", "~CAP_KILL"}},
		{"SystemCallFilter", 4, callValues()},
		{"DefaultDependencies", 1, []string{"no", "yes", "yes"}},
		{"LoadCredentialEncrypted", 1, []string{"a:/a"}},
	}
	for _, name := range strings.Fields(`PrivateDevices PrivateNetwork ProtectKernelModules ProtectKernelTunables ProtectKernelLogs
		ProtectClock LockPersonality MemoryDenyWriteExecute NoNewPrivileges RemoveIPC RestrictRealtime RestrictSUIDSGID`) {
		list = append(list, choice{name, 2, []string{"yes", "yes", "no"}})
	}
	return list
}

// capabilityValues adds each capability that is checked, taken away alone.
func capabilityValues(values ...string) []string {
	for _, name := range strings.Fields(`ADMIN PTRACE TIME RAWIO MODULE NICE RESOURCE BOOT CHROOT PACCT TTY_CONFIG`) {
		values = append(values, "~CAP_SYS_"+name)
	}
	for _, name := range strings.Fields(`SETUID NET_ADMIN AUDIT_READ AUDIT_WRITE AUDIT_CONTROL SYSLOG MKNOD CHOWN FSETID SETFCAP
		DAC_OVERRIDE DAC_READ_SEARCH FOWNER IPC_OWNER KILL NET_BIND_SERVICE NET_BROADCAST NET_RAW MAC_ADMIN MAC_OVERRIDE
		LINUX_IMMUTABLE IPC_LOCK BLOCK_SUSPEND WAKE_ALARM LEASE BPF`) {
		values = append(values, "~CAP_"+name)
	}
	return values
}

// callValues are lists of system calls: each group that is checked, from both
// sides, and single calls of them, with those that other ABIs have alone.
func callValues() []string {
	values := []string{"", "@system-service", "@system-service", "~@system-service", "@known", "~@known", "~@default",
		"read write", "umount2", "~umount2 mount:ENOSYS", "~swapon", "~swapon swapoff", "~ptrace:EPERM", "bdflush sgetmask",
		"~@clock:EPERM", "uselib", "~reboot kexec_load kexec_file_load", "@basic-io @file-system", "chroot", "~@resources @privileged"}
	for _, group := range strings.Fields("@swap @obsolete @clock @cpu-emulation @debug @mount @module @raw-io @reboot @privileged @resources") {
		values = append(values, group, "~"+group, "~"+group)
	}
	return slices.Clip(values)
}

// Containers, and the profiles for themselves, are scored as the services that
// they are rendered as.
func TestSecurityIsSystemds(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		version := systemdVersion(t, h)
		containers := map[string]*config.Container{}
		for _, profile := range []string{"default", "strict", "nonetwork", "trusted", "system"} {
			c, err := launcher.ContainerOf(profile)
			if err != nil {
				t.Fatal(err)
			}
			containers["profile-"+profile] = c
		}
		for i, text := range containerFiles() {
			name := fmt.Sprintf("container%d", i)
			containers[name] = loadContainer(t, name, text)
		}
		var services []scored
		for _, name := range slices.Sorted(maps.Keys(containers)) {
			text, err := launcher.EquivalentService(containers[name], version)
			if err != nil {
				t.Fatal(err)
			}
			services = append(services, scored{name, text})
		}
		compareScores(t, h, services, func(s scored) exposure.Report {
			security, err := launcher.AssessSecurity(containers[s.name], version)
			if err != nil {
				t.Fatal(err)
			}
			return security.Report
		})
	})
}

// loadContainer loads a file as berth does.
func loadContainer(t *testing.T, name, text string) *config.Container {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".toml")
	if err := os.WriteFile(path, []byte("process.command = ['/bin/true']\n"+text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := launcher.Load(t.Context(), path, config.Overrides{}, launcher.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// containerFiles are files with something in them that the rendering has to keep
// right.
func containerFiles() []string {
	return []string{
		"process.user = 'www-data:www-data'\nroot.directory = '/srv/a b'",
		"process.user = 'nobody'\nusers.map_root = false",
		"profile = 'trusted'\nusers.map = 'host'\nnetwork.mode = 'host'",
		"network.mode = 'host'\n[sandbox]\nAmbientCapabilities = 'CAP_NET_ADMIN CAP_KILL'",
		"network.mode = 'host'\n[sandbox]\nAmbientCapabilities = 'CAP_NET_ADMIN'",
		"profile = 'system'\n[sandbox]\nPrivateTmp = 'disconnected'\nPrivateUsers = 'full'\nProtectControlGroups = 'strict'\nProtectHostname = 'private'",
		"profile = 'system'\n[[mounts]]\ntype = 'bind'\nsource = '/tmp'\ntarget = '/tmp'\n[[mounts]]\ntype = 'bind'\nsource = '/dev/null'\ntarget = '/dev/fuse'",
		"[resources]\nDevicePolicy = 'auto'\nDeviceAllow = ['/dev/fuse rw', 'char-pts']\nMemoryMax = '50%'\nIPAddressDeny = ['any']\nIPAddressAllow = ['localhost', '::1']",
		"description = 'a\\\\'\n[sandbox]\nTemporaryFileSystem = '/x:size=10%'\nSystemCallFilter = ['~@mount', 'mount', '~ptrace:ENOSYS']\nLogFilterPatterns = '~a\\d'\nProtectClock = true",
		"[sandbox]\nCapabilityBoundingSet = ['', '~CAP_KILL']\nRestrictAddressFamilies = ['', 'none']\nRestrictNamespaces = ['', '~user net']\nSystemCallFilter = ''",
		"process.boot = true",
	}
}

// The command prints what its unit is scored with, and fails above a threshold.
func TestSecurityCommand(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		writeFile(t, h, "/etc/berth/scored.toml", "process.command = ['sleep', '1000']\nprofile = 'strict'\n")
		overall := regexp.MustCompile(`Overall exposure level for \S+: (\d\.\d \w+)`)
		score := func(text string) string {
			match := overall.FindStringSubmatch(text)
			if match == nil {
				t.Fatalf("no score in %q", text)
			}
			return match[1]
		}
		ours := score(shell(t, h, "berth security scored"))
		systemds := score(shell(t, h, `dir=$(mktemp -d); berth security --unit scored > "$dir/s.service"
			systemd-analyze security --offline=yes --no-pager "$dir/s.service" 2>/dev/null; rm -r "$dir"`))
		if ours != systemds {
			t.Errorf("berth says %s, systemd %s", ours, systemds)
		}
		var checks []checkOf
		if err := json.Unmarshal([]byte(shell(t, h, "berth security --json --profile strict")), &checks); err != nil || len(checks) != 81 {
			t.Errorf("%d checks as JSON, %v", len(checks), err)
		}
		tenths, err := strconv.Atoi(strings.Replace(ours[:3], ".", "", 1))
		if err != nil {
			t.Fatal(err)
		}
		for threshold, want := range map[int]int{0: 1, tenths - 1: 1, tenths: 0, 100: 0, 101: 1} {
			if got := run(t, h, "berth", "security", "--threshold", strconv.Itoa(threshold), "scored"); got.Status != want {
				t.Errorf("threshold %d: got %+v, want status %d", threshold, got, want)
			}
		}
	})
}

// A container that runs is known by its name, wherever its file is, and scored as
// it was started.
func TestSecurityOfRunning(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		writeFile(t, h, "/srv/roaming.toml", "process.command = ['sleep', '1000']\nsandbox.KeyringMode = 'shared'\n")
		began := time.Now().Add(-10 * time.Millisecond)
		c := &container{begin(t, h, "/bin/sh", "-c", "cd /srv; exec berth run ./roaming.toml --profile system -p UMask=0077"), "roaming", began}
		c.awaitStart()
		shell(t, h, "rm /srv/roaming.toml")
		text := shell(t, h, "cd /; berth security --unit roaming")
		for _, line := range []string{"KeyringMode=shared", "UMask=0077"} {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("no %s in\n%s", line, text)
			}
		}
		if strings.Contains(text, "\nProtectSystem=") { // of the profile that it would have without the option
			t.Errorf("another profile:\n%s", text)
		}
		if got := run(t, h, "berth", "security", "-p", "UMask=0", "roaming"); got.Status != 1 || !strings.Contains(got.Stderr, "cannot change") {
			t.Errorf("with an option: %+v", got)
		}
		if got := run(t, h, "berth", "security", "resting"); got.Status != 1 {
			t.Errorf("a container that doesn't run: %+v", got)
		}
	})
}
