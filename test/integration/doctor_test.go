package integration

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"berth/launcher"
	"berth/test/host"
)

func TestDoctorOfAHost(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		buildBerth(t)
		leavesNothing(t, h)
		report := doctor(t, h, "berth", "doctor", "--json")
		for subject, names := range map[string][]string{
			"kernel":           {"user namespaces", "mount_setattr", "overlayfs", "BPF for devices"},
			"sandbox":          {"filters of system calls", "answers of filters", "libseccomp", "cache of filters", "BPF for recording"},
			"ID-mapped mounts": {"layers of an overlay", "tmpfs"},
			"cgroups":          {"unified hierarchy", "cgroup.kill"},
			"systemd":          {"D-Bus", "version", "journal"},
			"IDs":              {"blocks"},
		} {
			for _, name := range names {
				if row := find(report, subject, name); row.State != launcher.VerdictYes {
					t.Errorf("%s, %s: %+v", subject, name, row)
				}
			}
		}
		if row := find(report, "systemd", "version"); !h.Suite().Canary && row.Detail != strconv.Itoa(h.Suite().Systemd) {
			t.Errorf("systemd is %s, want %d", row.Detail, h.Suite().Systemd)
		}
		// A setting is without effect exactly where its controller is missing.
		memory := find(report, "cgroups", "memory controller").State == launcher.VerdictYes
		if lost := unenforced(report, "MemoryMax"); lost == memory {
			t.Errorf("there is a memory controller: %v; MemoryMax is without effect: %v", memory, lost)
		}
		guard := find(report, "sandbox", "BPF for opening files").State == launcher.VerdictYes
		if lost := unenforced(report, "RestrictFileSystems"); lost == guard {
			t.Errorf("files can be guarded by BPF: %v; RestrictFileSystems is without effect: %v", guard, lost)
		}
		if lost := unenforced(report, "LogFilterPatterns"); lost != (h.Suite().Systemd < 253) {
			t.Errorf("LogFilterPatterns is without effect: %v", lost)
		}
		if unenforced(report, "IPAddressDeny") {
			t.Error("IPAddressDeny is said to be without effect")
		}
	})
}

func TestDoctorWithoutRoot(t *testing.T) {
	onEverySuite(t, func(t *testing.T, h *host.Host) {
		buildBerth(t)
		report := doctor(t, h, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "berth", "doctor", "--json")
		for _, row := range []launcher.Row{
			find(report, "kernel", "overlayfs"), find(report, "ID-mapped mounts", "all"),
			find(report, "sandbox", "BPF for recording"), find(report, "sandbox", "cache of filters"),
		} {
			if row.State != launcher.VerdictUnknown || row.Detail != "needs root" {
				t.Errorf("%+v", row)
			}
		}
		for _, row := range []launcher.Row{
			find(report, "kernel", "user namespaces"), find(report, "cgroups", "cgroup.kill"), find(report, "systemd", "version"),
		} {
			if row.State != launcher.VerdictYes {
				t.Errorf("%+v", row)
			}
		}
	})
}

func doctor(t *testing.T, h *host.Host, name string, args ...string) launcher.Report {
	t.Helper()
	r := run(t, h, name, args...)
	var report launcher.Report
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil || r.Status != 0 || r.Stderr != "" {
		t.Fatalf("%v: %+v", err, r)
	}
	return report
}

// find returns a row, an empty one where there is none.
func find(report launcher.Report, subject, name string) launcher.Row {
	i := slices.IndexFunc(report.Rows, func(r launcher.Row) bool { return r.Subject == subject && r.Name == name })
	if i < 0 {
		return launcher.Row{Subject: subject, Name: name}
	}
	return report.Rows[i]
}

func unenforced(report launcher.Report, setting string) bool {
	return slices.ContainsFunc(report.Unenforced, func(u launcher.Unenforced) bool { return slices.Contains(u.Settings, setting) })
}
