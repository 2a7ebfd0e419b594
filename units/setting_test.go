package units

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// accepted has every setting with values in unit-file syntax and what is sent
// for them, as "NAME=VALUE" with the value made readable.
var accepted = []struct {
	name   string
	values []string
	want   []string
}{
	{"CPUAccounting", []string{"yes"}, []string{"CPUAccounting=true"}},
	{"CPUWeight", []string{"200"}, []string{"CPUWeight=200"}},
	{"CPUWeight", []string{"0x10"}, []string{"CPUWeight=16"}},
	{"CPUWeight", []string{"idle"}, []string{"CPUWeight=idle"}},
	{"CPUWeight", []string{""}, []string{"CPUWeight="}},
	{"StartupCPUWeight", []string{"1"}, []string{"StartupCPUWeight=1"}},
	{"CPUQuota", []string{"50%"}, []string{"CPUQuotaPerSecUSec=500ms"}},
	{"CPUQuota", []string{"200%"}, []string{"CPUQuotaPerSecUSec=2s"}},
	{"CPUQuota", []string{"0.01%"}, []string{"CPUQuotaPerSecUSec=100us"}},
	{"CPUQuota", []string{"5‰"}, []string{"CPUQuotaPerSecUSec=5ms"}},
	{"CPUQuota", []string{""}, []string{"CPUQuotaPerSecUSec=infinity"}},
	{"CPUQuotaPeriodSec", []string{"10ms"}, []string{"CPUQuotaPeriodUSec=10ms"}},
	{"CPUQuotaPeriodSec", []string{""}, []string{"CPUQuotaPeriodUSec=infinity"}},
	{"AllowedCPUs", []string{"0-3"}, []string{"AllowedCPUs=0-3"}},
	{"AllowedCPUs", []string{"0", "2-3, 9"}, []string{"AllowedCPUs=0,2-3,9"}},
	{"AllowedCPUs", []string{"0-3", "", "1"}, []string{"AllowedCPUs=1"}},
	{"AllowedCPUs", []string{""}, []string{"AllowedCPUs="}},
	{"StartupAllowedCPUs", []string{"1"}, []string{"StartupAllowedCPUs=1"}},

	{"MemoryAccounting", []string{"on"}, []string{"MemoryAccounting=true"}},
	{"MemoryMin", []string{"1M"}, []string{"MemoryMin=1048576"}},
	{"MemoryMin", []string{""}, []string{"MemoryMin=0"}},
	{"MemoryLow", []string{"0"}, []string{"MemoryLow=0"}},
	{"MemoryLow", []string{"10%"}, []string{"MemoryLowScale=10%"}},
	{"StartupMemoryLow", []string{"1K"}, []string{"StartupMemoryLow=1024"}},
	{"MemoryHigh", []string{"1.5G"}, []string{"MemoryHigh=1610612736"}},
	{"StartupMemoryHigh", []string{"2M"}, []string{"StartupMemoryHigh=2097152"}},
	{"MemoryMax", []string{"256M"}, []string{"MemoryMax=268435456"}},
	{"MemoryMax", []string{"50%"}, []string{"MemoryMaxScale=50%"}},
	{"MemoryMax", []string{"12.34%"}, []string{"MemoryMaxScale=12.34%"}},
	{"MemoryMax", []string{"infinity"}, []string{"MemoryMax=infinity"}},
	{"MemoryMax", []string{"1G", "2G"}, []string{"MemoryMax=2147483648"}},
	{"MemoryMax", []string{""}, []string{"MemoryMax=infinity"}},
	{"StartupMemoryMax", []string{"infinity"}, []string{"StartupMemoryMax=infinity"}},
	{"MemorySwapMax", []string{"0"}, []string{"MemorySwapMax=0"}},
	{"StartupMemorySwapMax", []string{"0"}, []string{"StartupMemorySwapMax=0"}},
	{"MemoryZSwapMax", []string{"0%"}, []string{"MemoryZSwapMaxScale=0%"}},
	{"StartupMemoryZSwapMax", []string{"5M"}, []string{"StartupMemoryZSwapMax=5242880"}},
	{"MemoryZSwapWriteback", []string{"no"}, []string{"MemoryZSwapWriteback=false"}},
	{"AllowedMemoryNodes", []string{"0"}, []string{"AllowedMemoryNodes=0"}},
	{"StartupAllowedMemoryNodes", []string{"0"}, []string{"StartupAllowedMemoryNodes=0"}},
	{"CPUSetPartition", []string{"isolated"}, []string{"CPUSetPartition=isolated"}},
	{"CPUSetPartition", []string{""}, []string{"CPUSetPartition="}},

	{"TasksAccounting", []string{"1"}, []string{"TasksAccounting=true"}},
	{"TasksMax", []string{"200"}, []string{"TasksMax=200"}},
	{"TasksMax", []string{"10%"}, []string{"TasksMaxScale=10%"}},
	{"TasksMax", []string{"infinity"}, []string{"TasksMax=infinity"}},
	{"TasksMax", []string{"5", ""}, nil},
	{"TasksMax", []string{"", "5"}, []string{"TasksMax=5"}},

	{"IOAccounting", []string{"true"}, []string{"IOAccounting=true"}},
	{"IOWeight", []string{"10000"}, []string{"IOWeight=10000"}},
	{"StartupIOWeight", []string{"5"}, []string{"StartupIOWeight=5"}},
	{"IODeviceWeight", []string{"/dev/null 300"}, []string{"IODeviceWeight=/dev/null 300"}},
	{"IODeviceWeight", []string{`"/srv/my disk"   300`}, []string{"IODeviceWeight=/srv/my disk 300"}},
	{"IOReadBandwidthMax", []string{"/dev/null 10M", "/dev/zero infinity"}, []string{"IOReadBandwidthMax=/dev/null 10000000 /dev/zero infinity"}},
	{"IOWriteBandwidthMax", []string{"/dev//null 1K"}, []string{"IOWriteBandwidthMax=/dev/null 1000"}},
	{"IOReadIOPSMax", []string{"/dev/null 100"}, []string{"IOReadIOPSMax=/dev/null 100"}},
	{"IOWriteIOPSMax", []string{"", "/dev/null 1K"}, []string{"IOWriteIOPSMax=", "IOWriteIOPSMax=/dev/null 1000"}},
	{"IODeviceLatencyTargetSec", []string{"/dev/null 25ms"}, []string{"IODeviceLatencyTargetUSec=/dev/null 25ms"}},

	{"IPAccounting", []string{"y"}, []string{"IPAccounting=true"}},
	{"IPAddressAllow", []string{"localhost"}, []string{"IPAddressAllow=127.0.0.0/8 ::1/128"}},
	{"IPAddressAllow", []string{"link-local multicast"}, []string{"IPAddressAllow=169.254.0.0/16 fe80::/64 224.0.0.0/4 ff00::/8"}},
	{"IPAddressAllow", []string{"10.0.0.0/8", "fe80::1"}, []string{"IPAddressAllow=10.0.0.0/8 fe80::1/128"}},
	{"IPAddressAllow", []string{"::ffff:1.2.3.4"}, []string{"IPAddressAllow=::ffff:1.2.3.4/128"}},
	{"IPAddressDeny", []string{"any"}, []string{"IPAddressDeny=0.0.0.0/0 ::/0"}},
	{"IPAddressDeny", []string{"1.2.3.4", "", "any"}, []string{"IPAddressDeny=", "IPAddressDeny=0.0.0.0/0 ::/0"}},
	{"SocketBindAllow", []string{"tcp:80", "ipv6:udp:1024-2048", "ipv4"}, []string{"SocketBindAllow=tcp:80 ipv6:udp:1024-2048 ipv4:any"}},
	{"SocketBindDeny", []string{"any"}, []string{"SocketBindDeny=any"}},
	{"SocketBindDeny", []string{"1-65535"}, []string{"SocketBindDeny=1-65535"}},
	{"RestrictNetworkInterfaces", []string{"lo eth0"}, []string{"RestrictNetworkInterfaces=lo eth0"}},
	{"RestrictNetworkInterfaces", []string{"~eth0", "lo"}, []string{"RestrictNetworkInterfaces=~eth0", "RestrictNetworkInterfaces=lo"}},
	{"BindNetworkInterface", []string{"vrf-blue"}, []string{"BindNetworkInterface=vrf-blue"}},
	{"NFTSet", []string{"cgroup:inet:filter:web user:ip6:t:s"}, []string{"NFTSet=cgroup:inet:filter:web user:ip6:t:s"}},
	{"IPIngressFilterPath", []string{"/sys/fs/bpf//in"}, []string{"IPIngressFilterPath=/sys/fs/bpf/in"}},
	{"IPEgressFilterPath", []string{"/sys/fs/bpf/a", "/sys/fs/bpf/b"}, []string{"IPEgressFilterPath=/sys/fs/bpf/a /sys/fs/bpf/b"}},
	{"BPFProgram", []string{"bind6:/sys/fs/bpf/hook"}, []string{"BPFProgram=bind6:/sys/fs/bpf/hook"}},

	{"DeviceAllow", []string{"/dev/null rw", "char-pts", "block-loop m"}, []string{"DeviceAllow=/dev/null rw char-pts block-loop m"}},
	{"DevicePolicy", []string{"closed"}, []string{"DevicePolicy=closed"}},
	{"Slice", []string{"machine-web.slice"}, []string{"Slice=machine-web.slice"}},
	{"Delegate", []string{"yes"}, []string{"Delegate=true"}},
	{"Delegate", []string{"cpu memory"}, []string{"DelegateControllers=cpu memory"}},
	{"Delegate", []string{""}, []string{"DelegateControllers="}},
	{"DelegateSubgroup", []string{"payload"}, []string{"DelegateSubgroup=payload"}},
	{"DisableControllers", []string{"io", "cpu"}, []string{"DisableControllers=io cpu"}},

	{"ManagedOOMSwap", []string{"kill"}, []string{"ManagedOOMSwap=kill"}},
	{"ManagedOOMMemoryPressure", []string{""}, []string{"ManagedOOMMemoryPressure=auto"}},
	{"ManagedOOMMemoryPressureLimit", []string{"60%"}, []string{"ManagedOOMMemoryPressureLimit=60%"}},
	{"ManagedOOMMemoryPressureDurationSec", []string{"2s"}, []string{"ManagedOOMMemoryPressureDurationUSec=2s"}},
	{"ManagedOOMPreference", []string{"avoid"}, []string{"ManagedOOMPreference=avoid"}},
	{"OOMRules", []string{"web db", "mail"}, []string{"OOMRules=web db mail"}},
	{"MemoryPressureWatch", []string{"on"}, []string{"MemoryPressureWatch=yes"}},
	{"MemoryPressureThresholdSec", []string{"200ms"}, []string{"MemoryPressureThresholdUSec=200ms"}},
	{"CPUPressureWatch", []string{"skip"}, []string{"CPUPressureWatch=skip"}},
	{"CPUPressureThresholdSec", []string{"1"}, []string{"CPUPressureThresholdUSec=1s"}},
	{"IOPressureWatch", []string{"0"}, []string{"IOPressureWatch=no"}},
	{"IOPressureThresholdSec", []string{"1min"}, []string{"IOPressureThresholdUSec=1min"}},
	{"CoredumpReceive", []string{"yes"}, []string{"CoredumpReceive=true"}},

	{"KillMode", []string{"mixed"}, []string{"KillMode=mixed"}},
	{"KillSignal", []string{"SIGRTMIN+3"}, []string{"KillSignal=SIGRTMIN+3"}},
	{"KillSignal", []string{"15"}, []string{"KillSignal=SIGTERM"}},
	{"RestartKillSignal", []string{"HUP"}, []string{"RestartKillSignal=SIGHUP"}},
	{"SendSIGHUP", []string{"yes"}, []string{"SendSIGHUP=true"}},
	{"SendSIGKILL", []string{"no"}, []string{"SendSIGKILL=false"}},
	{"FinalKillSignal", []string{"SIGABRT"}, []string{"FinalKillSignal=SIGABRT"}},
	{"WatchdogSignal", []string{"RTMAX-1"}, []string{"WatchdogSignal=SIGRTMIN+29"}},
	{"OOMPolicy", []string{"continue"}, []string{"OOMPolicy=continue"}},
	{"RuntimeMaxSec", []string{"1h 30min"}, []string{"RuntimeMaxUSec=1h 30min"}},
	{"RuntimeRandomizedExtraSec", []string{"90"}, []string{"RuntimeRandomizedExtraUSec=1min 30s"}},
	{"TimeoutStopSec", []string{"infinity"}, []string{"TimeoutStopUSec=infinity"}},
}

func TestConvert(t *testing.T) {
	for _, test := range accepted {
		t.Run(test.name+"="+strings.Join(test.values, "|"), func(t *testing.T) {
			s, err := Lookup(test.name)
			if err != nil {
				t.Fatal(err)
			}
			props, err := s.Convert(test.values)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range props {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEverySettingIsTested(t *testing.T) {
	seen := map[string]bool{}
	for i, s := range settings {
		if seen[s.Name] {
			t.Errorf("%s is in the table twice", s.Name)
		}
		seen[s.Name] = true
		if s.Doc == "" || s.Since == 0 || s.convert == nil {
			t.Errorf("entry %d, %s, lacks a field", i, s.Name)
		}
		if why := refusal(s.Name); why != "" {
			t.Errorf("%s is in the table, and refused: it %s", s.Name, why)
		}
		for _, tests := range [][]string{acceptedNames(), refusedNames()} {
			if !slices.Contains(tests, s.Name) {
				t.Errorf("%s is not tested both with a good and with a bad value", s.Name)
			}
		}
	}
}

func acceptedNames() (names []string) {
	for _, test := range accepted {
		names = append(names, test.name)
	}
	return names
}

func refusedNames() (names []string) {
	for _, test := range refused {
		names = append(names, test.name)
	}
	return names
}

// refused has every setting with values that are errors, and a part of the
// message that says what is accepted.
var refused = []struct {
	name, value, want string
}{
	{"CPUAccounting", "", "yes or no"},
	{"CPUWeight", "0", "1 to 10000, or idle"},
	{"CPUWeight", "10001", "1 to 10000"},
	{"CPUWeight", "1_0", "1 to 10000"},
	{"StartupCPUWeight", "-5", "1 to 10000"},
	{"CPUQuota", "0%", "a percentage of one CPU"},
	{"CPUQuota", "50", "a percentage of one CPU"},
	{"CPUQuota", "-50%", "a percentage of one CPU"},
	{"CPUQuota", "1.234%", "a percentage of one CPU"},
	{"CPUQuota", "99999999999%", "a percentage of one CPU"},
	{"CPUQuotaPeriodSec", "soon", "a time span"},
	{"AllowedCPUs", "3-1", "indices and ranges"},
	{"AllowedCPUs", "8192", "indices and ranges"},
	{"AllowedCPUs", "0-4294967296", "indices and ranges"},
	{"AllowedCPUs", "%i", "indices and ranges"},
	{"StartupAllowedCPUs", "-1", "indices and ranges"},
	{"MemoryAccounting", "maybe", "yes or no"},
	{"MemoryMin", "-1", "a size such as 512M, a percentage or infinity"},
	{"MemoryLow", "101%", "a size such as"},
	{"StartupMemoryLow", "50%", "a size such as 512M or infinity"},
	{"MemoryHigh", "0", "a size such as"},
	{"StartupMemoryHigh", "1%", "a size such as 512M or infinity"},
	{"MemoryMax", "256MB", "a size such as"},
	{"MemoryMax", "256m", "a size such as"},
	{"MemoryMax", "0%", "a size such as"},
	{"MemoryMax", "16E", "a size such as"},
	{"MemoryMax", "18446744073709551615", "a size such as"},
	{"MemoryMax", "Infinity", "a size such as"},
	{"StartupMemoryMax", "x", "a size such as"},
	{"MemorySwapMax", "1 2", "a size such as"},
	{"StartupMemorySwapMax", "1%", "a size such as"},
	{"MemoryZSwapMax", "1G1G", "a size such as"},
	{"StartupMemoryZSwapMax", "M", "a size such as"},
	{"MemoryZSwapWriteback", "2", "yes or no"},
	{"AllowedMemoryNodes", "a", "indices and ranges"},
	{"StartupAllowedMemoryNodes", "1-", "indices and ranges"},
	{"CPUSetPartition", "own", "member, root or isolated"},
	{"TasksAccounting", "", "yes or no"},
	{"TasksMax", "0", "a number of tasks"},
	{"TasksMax", "100%", "a percentage below 100%"},
	{"TasksMax", "1K", "a number of tasks"},
	{"IOAccounting", "x", "yes or no"},
	{"IOWeight", "idle", "1 to 10000"},
	{"StartupIOWeight", "0", "1 to 10000"},
	{"IODeviceWeight", "/dev/null", "a weight from 1 to 10000"},
	{"IODeviceWeight", "dev/null 5", "a device"},
	{"IOReadBandwidthMax", "/dev/null 0", "a number such as 10M"},
	{"IOReadBandwidthMax", "/dev/../etc 1M", "a device"},
	{"IOWriteBandwidthMax", "/dev/%i 1M", "specifier"},
	{"IOReadIOPSMax", `"/dev/null 1M`, "quote"},
	{"IOWriteIOPSMax", "/dev/null x", "a number such as 10M"},
	{"IODeviceLatencyTargetSec", "/dev/null fast", "a time span"},
	{"IPAccounting", "", "yes or no"},
	{"IPAddressAllow", "localhos", "addresses such as"},
	{"IPAddressAllow", "10.0.0.0/33", "addresses such as"},
	{"IPAddressAllow", "fe80::1%lo", "addresses such as"},
	{"IPAddressDeny", "10.0.0.0/", "addresses such as"},
	{"SocketBindAllow", "tcp:0", "a port"},
	{"SocketBindAllow", "udp:tcp:5", "a port"},
	{"SocketBindAllow", "tcp:", "a port"},
	{"SocketBindDeny", "5-2", "a port"},
	{"SocketBindDeny", "65536", "a port"},
	{"RestrictNetworkInterfaces", "~", "names of network interfaces"},
	{"RestrictNetworkInterfaces", "eth0:1", "network interface"},
	{"BindNetworkInterface", "a b", "network interface"},
	{"BindNetworkInterface", "12", "network interface"},
	{"NFTSet", "address:inet:a:b", "SOURCE:FAMILY:TABLE:SET"},
	{"NFTSet", "cgroup:inet:a", "SOURCE:FAMILY:TABLE:SET"},
	{"NFTSet", "cgroup:inet:1a:b", "SOURCE:FAMILY:TABLE:SET"},
	{"IPIngressFilterPath", "bpf", "an absolute path"},
	{"IPEgressFilterPath", "/sys/../x", "an absolute path"},
	{"BPFProgram", "bind5:/sys/fs/bpf/x", "ATTACH:PATH"},
	{"BPFProgram", "bind6", "an absolute path"},
	{"DeviceAllow", "/etc/passwd r", "a path below /dev"},
	{"DeviceAllow", "/dev/../etc/passwd r", "a path below /dev"},
	{"DeviceAllow", "/dev/", "a path below /dev"},
	{"DeviceAllow", "/dev/null rx", "a path below /dev"},
	{"DeviceAllow", "/dev/null r\nDevicePolicy=auto", "line break"},
	{"DevicePolicy", "open", "auto, closed or strict"},
	{"DevicePolicy", "", "auto, closed or strict"},
	{"Slice", "", "the name of a slice"},
	{"Slice", "a--b.slice", "the name of a slice"},
	{"Slice", "web.service", "the name of a slice"},
	{"Delegate", "cpu ram", "a boolean or controllers"},
	{"DelegateSubgroup", "a/b", "a cgroup"},
	{"DelegateSubgroup", "cgroup.procs", "a cgroup"},
	{"DelegateSubgroup", "memory.max", "a cgroup"},
	{"DisableControllers", "ram", "not a controller"},
	{"ManagedOOMSwap", "no", "auto or kill"},
	{"ManagedOOMMemoryPressure", "yes", "auto or kill"},
	{"ManagedOOMMemoryPressureLimit", "101%", "a percentage"},
	{"ManagedOOMMemoryPressureDurationSec", "1ms", "1s or more"},
	{"ManagedOOMPreference", "", "none, avoid or omit"},
	{"OOMRules", "a/b", "names of rules"},
	{"MemoryPressureWatch", "x", "yes, no, auto or skip"},
	{"MemoryPressureThresholdSec", "", "a time span"},
	{"CPUPressureWatch", "x", "yes, no, auto or skip"},
	{"CPUPressureThresholdSec", "-1", "a time span"},
	{"IOPressureWatch", "x", "yes, no, auto or skip"},
	{"IOPressureWatch", "", "yes, no, auto or skip"},
	{"IOPressureThresholdSec", "1 fortnight", "a time span"},
	{"CoredumpReceive", "x", "yes or no"},
	{"KillMode", "all", "control-group, mixed, process or none"},
	{"KillSignal", "SIGNONE", "a signal such as"},
	{"KillSignal", "65", "a signal such as"},
	{"RestartKillSignal", "0", "a signal such as"},
	{"SendSIGHUP", "x", "yes or no"},
	{"SendSIGKILL", "x", "yes or no"},
	{"FinalKillSignal", "RTMIN+31", "a signal such as"},
	{"WatchdogSignal", "", "a signal such as"},
	{"OOMPolicy", "die", "continue, stop or kill"},
	{"RuntimeMaxSec", "", "a time span"},
	{"RuntimeRandomizedExtraSec", "1.s", "a time span"},
	{"TimeoutStopSec", "5 minuten", "a time span"},
}

func TestConvertRefuses(t *testing.T) {
	for _, test := range refused {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			s, err := Lookup(test.name)
			if err != nil {
				t.Fatal(err)
			}
			// A bad value is one wherever it stands.
			if props, err := s.Convert([]string{test.value, accepted[slices.Index(acceptedNames(), test.name)].values[0]}); err == nil {
				t.Errorf("accepted before a good one: %v", props)
			}
			props, err := s.Convert([]string{test.value})
			if err == nil {
				t.Fatalf("accepted: %v", props)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want it to say %q", err, test.want)
			}
		})
	}
}

func TestLookupRefuses(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"MemoryMaxx", `unknown setting: did you mean "MemoryMax"?`},
		{"memorymax", `unknown setting: did you mean "MemoryMax"?`},
		{"Zzzzzzzzz", "unknown setting: systemd.resource-control(5), systemd.kill(5) and systemd.scope(5) list what a scope takes"},
		{"ProtectSystem", "is a sandbox setting: it belongs in [sandbox]"},
		{"LimitNOFILE", "is a sandbox setting: it belongs in [sandbox]"},
		{"Restart", "a scope does not take it: it is a setting of services; it belongs in [service]"},
		{"WantedBy", "is a setting of installed units: it belongs in [service]"},
		{"ConditionPathExists", "is a setting of units, not a resource: it belongs in [service]"},
		{"After", "is a setting of units, not a resource: it belongs in [service]"},
		{"ListenStream", "a scope does not take it: it is a setting of sockets"},
		{"OnCalendar", "a scope does not take it: it is a setting of timers"},
		{"MemoryLimit", "is a setting of cgroup v1: use MemoryMax"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Lookup(test.name)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestCheckVersion(t *testing.T) {
	s, err := Lookup("NFTSet")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckVersion(255); err != nil {
		t.Errorf("255: %v", err)
	}
	err = s.CheckVersion(252)
	if err == nil || err.Error() != "needs systemd 255 or later, this is 252" {
		t.Errorf("252: %v", err)
	}
}

func TestNames(t *testing.T) {
	names := Names()
	if len(names) != len(settings) || !slices.Contains(names, "IPAddressDeny") {
		t.Errorf("got %v", names)
	}
}
