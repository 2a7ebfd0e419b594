package integration

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"berth/internal/kernel"
	"berth/sandbox"
	"berth/test/host"
)

// sandboxMerges are lines of a unit file, and the property of systemctl show that
// tells what they come to.
var sandboxMerges = []struct{ property, lines string }{
	{"CapabilityBoundingSet", "CapabilityBoundingSet=CAP_CHOWN CAP_KILL"},
	{"CapabilityBoundingSet", "CapabilityBoundingSet=CAP_CHOWN|CapabilityBoundingSet=CAP_KILL"},
	{"CapabilityBoundingSet", "CapabilityBoundingSet=~CAP_CHOWN|CapabilityBoundingSet=~CAP_KILL"},
	{"CapabilityBoundingSet", "CapabilityBoundingSet=~CAP_CHOWN CAP_KILL|CapabilityBoundingSet=CAP_KILL"},
	{"CapabilityBoundingSet", "CapabilityBoundingSet=CAP_CHOWN CAP_KILL|CapabilityBoundingSet=~CAP_KILL"},
	{"CapabilityBoundingSet", "CapabilityBoundingSet="},
	{"CapabilityBoundingSet", "CapabilityBoundingSet=CAP_KILL|CapabilityBoundingSet=|CapabilityBoundingSet=~CAP_KILL"},
	{"CapabilityBoundingSet", "CapabilityBoundingSet=CAP_KILL|CapabilityBoundingSet=~"},
	{"CapabilityBoundingSet", "CapabilityBoundingSet=CAP_CHOWN|CapabilityBoundingSet=~|CapabilityBoundingSet=~CAP_KILL"},
	{"CapabilityBoundingSet", "CapabilityBoundingSet=1 2"},
	{"CapabilityBoundingSet", "Nice=0"},
	{"CapabilityBoundingSet", "PrivateDevices=yes|ProtectClock=yes|ProtectKernelLogs=yes|ProtectKernelModules=yes|ProtectHostname=yes|ProtectKernelTunables=yes"},
	{"AmbientCapabilities", "AmbientCapabilities=CAP_CHOWN|AmbientCapabilities=CAP_KILL"},
	{"AmbientCapabilities", "AmbientCapabilities=~CAP_CHOWN"},
	{"AmbientCapabilities", "AmbientCapabilities=CAP_CHOWN CAP_KILL|AmbientCapabilities=~CAP_CHOWN"},
	{"AmbientCapabilities", "AmbientCapabilities=CAP_CHOWN|AmbientCapabilities=~CAP_CHOWN|AmbientCapabilities=~CAP_KILL"},
	{"RestrictNamespaces", "RestrictNamespaces=user|RestrictNamespaces=mnt"},
	{"RestrictNamespaces", "RestrictNamespaces=~user|RestrictNamespaces=~mnt"},
	{"RestrictNamespaces", "RestrictNamespaces=~user mnt|RestrictNamespaces=mnt"},
	{"RestrictNamespaces", "RestrictNamespaces=user|RestrictNamespaces=yes|RestrictNamespaces=pid"},
	{"RestrictNamespaces", "RestrictNamespaces=no|RestrictNamespaces=~pid"},
	{"RestrictNamespaces", "RestrictNamespaces=user|RestrictNamespaces=~user"},
	{"RestrictNamespaces", "RestrictNamespaces=user|RestrictNamespaces="},
	{"RestrictAddressFamilies", "RestrictAddressFamilies=AF_UNIX AF_INET|RestrictAddressFamilies=~AF_INET"},
	{"RestrictAddressFamilies", "RestrictAddressFamilies=~AF_UNIX|RestrictAddressFamilies=~AF_LOCAL AF_INET"},
	{"RestrictAddressFamilies", "RestrictAddressFamilies=~AF_UNIX AF_INET|RestrictAddressFamilies=AF_UNIX"},
	{"RestrictAddressFamilies", "RestrictAddressFamilies=AF_UNIX|RestrictAddressFamilies=none|RestrictAddressFamilies=~AF_INET"},
	{"RestrictAddressFamilies", "RestrictAddressFamilies=none|RestrictAddressFamilies=AF_INET"},
	{"RestrictAddressFamilies", "RestrictAddressFamilies=AF_UNIX|RestrictAddressFamilies="},
	{"RestrictAddressFamilies", "RestrictAddressFamilies=AF_UNIX|RestrictAddressFamilies=~AF_UNIX|RestrictAddressFamilies=~AF_INET"},
	{"SystemCallErrorNumber", "SystemCallErrorNumber=EPERM|SystemCallErrorNumber=kill"},
	{"SystemCallErrorNumber", "SystemCallErrorNumber=38"},
	{"SystemCallArchitectures", "SystemCallArchitectures=x86 x32|SystemCallArchitectures=x86"},
	{"ReadWritePaths", `ReadWritePaths=/b -/a|ReadWritePaths=+/c "/d e"`},
	{"ReadOnlyPaths", "ReadOnlyPaths=/b|ReadOnlyPaths=|ReadOnlyPaths=-+//a/./b/"},
	{"InaccessiblePaths", "InaccessibleDirectories=/b|InaccessiblePaths=/a"},
	{"NoExecPaths", `NoExecPaths=/a\ b "/c\"d"`},
	{"BindPaths", "BindPaths=/a /b:/c|BindReadOnlyPaths=/d|BindPaths=/e:/f:norbind"},
	{"BindReadOnlyPaths", "BindPaths=/a|BindReadOnlyPaths=/d -/e:/f|BindPaths=/g"},
	{"BindPaths", "BindPaths=/a|BindReadOnlyPaths=|BindPaths=/b"},
	{"TemporaryFileSystem", "TemporaryFileSystem=/a:ro /b|TemporaryFileSystem=/c:size=1M,mode=0700"},
	{"Nice", "Nice=5|Nice="},
	{"Nice", "Nice=-7"},
	{"OOMScoreAdjust", "OOMScoreAdjust=-5"},
	{"UMask", "UMask=027"},
	{"UMask", "Nice=0"},
	{"SecureBits", "SecureBits=keep-caps|SecureBits=noroot no-setuid-fixup-locked"},
	{"CoredumpFilter", "CoredumpFilter=default|CoredumpFilter=shared-dax 0x1000"},
	{"TimerSlackNSec", "TimerSlackNSec=3us"},
	{"CPUAffinity", "CPUAffinity=0-2,5|CPUAffinity=7 3"},
	{"CPUAffinity", "CPUAffinity=1|CPUAffinity=|CPUAffinity=4"},
	{"IOSchedulingClass", "IOSchedulingPriority=7|IOSchedulingClass=idle"},
	{"IOSchedulingPriority", "IOSchedulingPriority=7|IOSchedulingClass=realtime"},
	{"IOSchedulingPriority", "IOSchedulingPriority=7|IOSchedulingClass=none"},
	{"IOSchedulingPriority", "IOSchedulingPriority=7|IOSchedulingClass="},
	{"CPUSchedulingPriority", "CPUSchedulingPolicy=fifo"},
	{"CPUSchedulingPriority", "CPUSchedulingPriority=50|CPUSchedulingPolicy=rr"},
	{"CPUSchedulingPriority", "CPUSchedulingPriority=50|CPUSchedulingPolicy=batch"},
	{"CPUSchedulingPolicy", "CPUSchedulingPolicy=rr|CPUSchedulingPolicy=idle"},
	{"LimitNOFILE", "LimitNOFILE=5:10|LimitNOFILE=7"},
	{"LimitNOFILESoft", "LimitNOFILE=5:10"},
	{"LimitCPU", "LimitCPU=1500ms:1min"},
	{"LimitCPUSoft", "LimitCPU=1500ms:1min"},
	{"LimitAS", "LimitAS=1.5G"},
	{"LimitNICE", "LimitNICE=-5"},
	{"LimitNICE", "LimitNICE=+19"},
	{"LimitRTTIME", "LimitRTTIME=1s"},
	{"LimitMEMLOCK", "LimitMEMLOCK=infinity"},
	{"Environment", `Environment=A=1 B=2|Environment="A=3 4" C=\x41\t`},
	{"Environment", "Environment=A=1|Environment=|Environment=B=2"},
	{"PassEnvironment", "PassEnvironment=A B|PassEnvironment=B C"},
	{"UnsetEnvironment", "UnsetEnvironment=A B=1|UnsetEnvironment=A"},
	{"StateDirectory", "StateDirectory=b a|StateDirectory=c/d"},
	{"StateDirectoryMode", "StateDirectoryMode=0710|StateDirectory=a"},
	{"RuntimeDirectoryPreserve", "RuntimeDirectory=a|RuntimeDirectoryPreserve=restart"},
	{"ProtectSystem", "ProtectSystem=1"},
	{"ProtectHome", "ProtectHome=tmpfs"},
	{"ProtectProc", "ProtectProc=invisible"},
	{"KeyringMode", "Nice=0"},
	{"IgnoreSIGPIPE", "Nice=0"},
}

// Lines that come one after another mean to berth what they mean to systemd.
func TestSandboxMergesAreSystemds(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		version := hostVersion(t, h)
		texts := make([]string, len(sandboxMerges))
		var script strings.Builder
		script.WriteString("systemctl daemon-reload\n")
		for i, m := range sandboxMerges {
			texts[i] = strings.ReplaceAll(m.lines, "|", "\n")
			fmt.Fprintf(&script, "systemctl show --property=%s syntax-%d.service | head -n 1\n", m.property, i)
		}
		link := "ln -sf /run/berth-syntax/*.service /run/systemd/system/; trap 'rm -r /run/berth-syntax /run/systemd/system/syntax-*; systemctl daemon-reload' EXIT\n"
		shown := strings.Split(withUnits(t, h, texts, link+script.String()), "\n")
		for i, m := range sandboxMerges {
			s := sandbox.New()
			for _, line := range strings.Split(m.lines, "|") {
				name, value, _ := strings.Cut(line, "=")
				if err := s.Set(name, value); err != nil {
					t.Errorf("%s: %v", line, err)
				}
			}
			d, _ := s.Decide(sandbox.Facts{SystemdVersion: version})
			want := unordered(m.property, strings.TrimPrefix(shown[i], m.property+"="))
			if got := unordered(m.property, showSandbox(m.property, version, s, d)); got != want {
				t.Errorf("%s: %s is %q, for systemd %q", m.lines, m.property, got, want)
			}
		}
	})
}

// unordered sorts the words of what has no order. The "+" of a path means nothing
// to berth.
func unordered(property, shown string) string {
	if strings.HasSuffix(property, "Paths") {
		shown = strings.ReplaceAll(shown, "+/", "/")
	}
	words := strings.Fields(shown)
	switch property {
	case "Environment", "TemporaryFileSystem":
		return shown
	}
	inverse := len(words) > 0 && strings.HasPrefix(words[0], "~")
	if inverse {
		words[0] = words[0][1:]
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// showSandbox writes a property as systemctl show does.
func showSandbox(property string, version int, s *sandbox.Settings, d *sandbox.Decision) string {
	switch property {
	case "CapabilityBoundingSet":
		return strings.ToLower(strings.Join(d.Process.Bounding.Names(), " "))
	case "AmbientCapabilities":
		return strings.ToLower(strings.Join(s.AmbientCapabilities.Names(), " "))
	case "RestrictNamespaces":
		return showNamespaces(s.RestrictNamespaces, version)
	case "RestrictAddressFamilies":
		return showList(s.RestrictAddressFamilies)
	case "SystemCallErrorNumber":
		if s.SystemCallErrorNumber == 0 {
			return "2147483646" // systemd's SECCOMP_ERROR_NUMBER_KILL
		}
		return strconv.Itoa(s.SystemCallErrorNumber)
	case "SystemCallArchitectures":
		return strings.Join(s.SystemCallArchitectures, " ")
	case "ReadWritePaths":
		return showPaths(s.ReadWritePaths)
	case "ReadOnlyPaths":
		return showPaths(s.ReadOnlyPaths)
	case "InaccessiblePaths":
		return showPaths(s.InaccessiblePaths)
	case "NoExecPaths":
		return showPaths(s.NoExecPaths)
	case "BindPaths", "BindReadOnlyPaths":
		return showBinds(s.Binds, property == "BindReadOnlyPaths")
	case "TemporaryFileSystem":
		var list []string
		for _, f := range s.TemporaryFileSystem {
			list = append(list, strings.TrimSuffix(f.Target+":"+strings.Join(f.Options, ","), ":"))
		}
		return strings.Join(list, " ")
	case "Environment":
		return showEnvironment(s.Environment)
	case "PassEnvironment":
		return strings.Join(s.PassEnvironment, " ")
	case "UnsetEnvironment":
		return strings.Join(s.UnsetEnvironment, " ")
	case "StateDirectory":
		var names []string
		for _, dir := range s.Directories {
			names = append(names, dir.Name)
		}
		return strings.Join(names, " ")
	case "StateDirectoryMode":
		return fmt.Sprintf("%04o", s.Directories[0].Mode)
	case "RuntimeDirectoryPreserve":
		return s.Directories[0].Preserve
	case "ProtectSystem":
		return s.ProtectSystem
	case "ProtectHome":
		return s.ProtectHome
	case "ProtectProc":
		return s.ProtectProc
	}
	return showProcess(property, s, d.Process)
}

func showProcess(property string, s *sandbox.Settings, a kernel.Attributes) string {
	scheduler, io := kernel.Scheduler{Policy: "other"}, kernel.IOPriority{Class: "best-effort", Priority: 4}
	if s.CPUScheduling != nil {
		scheduler = *s.CPUScheduling
	}
	if a.IO != nil {
		io = *a.IO
	}
	switch property {
	case "Nice":
		return strconv.Itoa(orZero(a.Nice))
	case "OOMScoreAdjust":
		return strconv.Itoa(orZero(a.OOMScoreAdjust))
	case "UMask":
		return fmt.Sprintf("%04o", a.UMask)
	case "SecureBits":
		return strconv.Itoa(int(a.SecureBits))
	case "CoredumpFilter":
		return fmt.Sprintf("0x%x", orZero(a.CoredumpFilter))
	case "TimerSlackNSec":
		return strconv.FormatUint(orZero(a.TimerSlack), 10)
	case "CPUAffinity":
		return showRanges(a.CPUAffinity)
	case "IOSchedulingClass":
		return strconv.Itoa(slices.Index([]string{"none", "realtime", "best-effort", "idle"}, io.Class))
	case "IOSchedulingPriority":
		return strconv.Itoa(io.Priority)
	case "CPUSchedulingPolicy":
		return strconv.Itoa(slices.Index([]string{"other", "fifo", "rr", "batch", "", "idle"}, scheduler.Policy))
	case "CPUSchedulingPriority":
		return strconv.Itoa(scheduler.Priority)
	case "KeyringMode":
		return a.Keyring
	case "IgnoreSIGPIPE":
		return map[bool]string{true: "yes", false: "no"}[a.IgnoreSIGPIPE]
	}
	name, soft := strings.CutSuffix(property, "Soft")
	limit := s.Limits[name].Hard
	if soft {
		limit = s.Limits[name].Soft
	}
	if limit == math.MaxUint64 {
		return "infinity"
	}
	return strconv.FormatUint(limit, 10)
}

func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// showNamespaces leaves out the type that systemd 258 learnt of, for older ones.
func showNamespaces(n sandbox.Namespaces, version int) string {
	types := []struct {
		name string
		flag uint64
	}{{"cgroup", unix.CLONE_NEWCGROUP}, {"ipc", unix.CLONE_NEWIPC}, {"net", unix.CLONE_NEWNET}, {"mnt", unix.CLONE_NEWNS},
		{"pid", unix.CLONE_NEWPID}, {"user", unix.CLONE_NEWUSER}, {"uts", unix.CLONE_NEWUTS}, {"time", unix.CLONE_NEWTIME}}
	if version < 258 {
		types = types[:len(types)-1]
	}
	var allowed []string
	for _, t := range types {
		if n.Allowed&t.flag != 0 {
			allowed = append(allowed, t.name)
		}
	}
	switch {
	case !n.Set || len(allowed) == len(types):
		return "no"
	case len(allowed) == 0:
		return "yes"
	}
	return strings.Join(allowed, " ")
}

func showList(l sandbox.CallList) string {
	list := strings.Join(l.Names, " ")
	if l.Allow || list == "" {
		return list // nothing, also where no family is allowed
	}
	return "~" + list
}

func showPaths(paths []sandbox.Path) string {
	var list []string
	for _, p := range paths {
		word := p.Path
		if p.Optional {
			word = "-" + word
		}
		list = append(list, quotedWord(word))
	}
	return strings.Join(list, " ")
}

// quotedWord writes a word as systemctl show does.
func quotedWord(word string) string {
	if !strings.ContainsAny(word, " \t\"\\") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`).Replace(word) + `"`
}

func showBinds(binds []sandbox.Bind, readOnly bool) string {
	var list []string
	for _, b := range binds {
		if b.ReadOnly != readOnly {
			continue
		}
		word := b.Source + ":" + b.Target
		if b.Optional {
			word = "-" + word
		}
		if b.Recursive {
			word += ":rbind"
		}
		list = append(list, word)
	}
	return strings.Join(list, " ")
}

func showEnvironment(variables []string) string {
	words := slices.Clone(variables)
	slices.Sort(words)
	for i, w := range words {
		words[i] = quotedWord(w)
	}
	return strings.Join(words, " ")
}

func showRanges(numbers []int) string {
	var list []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		word := strconv.Itoa(numbers[i])
		if j > i {
			word += "-" + strconv.Itoa(numbers[j])
		}
		list = append(list, word)
		i = j + 1
	}
	return strings.Join(list, " ")
}
