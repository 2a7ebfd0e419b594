package exposure

import (
	"slices"
	"strings"

	"berth/internal/kernel"
	"berth/sandbox"

	"golang.org/x/sys/unix"
)

// Unit is what the score looks at. Its zero value beside Settings is a service
// without any other setting.
type Unit struct {
	Settings *sandbox.Settings // systemd.exec(5); not changed

	User                string   // User=: a name or number; "" is root
	DynamicUser         bool     //
	SupplementaryGroups []string //
	RootDirectory       string   //
	RootImage           string   //

	// systemd.resource-control(5), as lists without resets.
	IPAddressAllow []string // words as in the setting: localhost, 10.0.0.0/8 …
	IPAddressDeny  []string
	DevicePolicy   string   // auto, closed, strict; "" is auto
	DeviceAllow    []string // such as "char-rtc r"
	Delegate       bool     // with or without a list of controllers

	IPIngressFilters []string // IPIngressFilterPath=
	IPEgressFilters  []string // IPEgressFilterPath=

	NotifyAccess string // none, main, exec, all; "" is none
	EarlyBoot    bool   // DefaultDependencies=no
}

// view is a unit after the manager has loaded it: with what settings imply.
type view struct {
	Unit
	Settings sandbox.Settings // a copy, hiding Unit's
	version  int
	calls    callFilter
	families families
}

// look makes what the checks look at. Sources: systemd's src/core/unit.c,
// unit_patch_contexts(), of 252, 257 and 262.
func look(u Unit, version int) *view {
	v := &view{Unit: u, Settings: *u.Settings, version: version}
	v.imply()
	v.implyDevices()
	v.calls = newCallFilter(v.Settings.SystemCallFilter, version)
	v.families = newFamilies(v.Settings.RestrictAddressFamilies)
	return v
}

// imply does what one setting does to others.
func (v *view) imply() {
	s := &v.Settings
	drop := func(when bool, caps ...int) {
		if when {
			s.CapabilityBoundingSet &^= kernel.CapSet(caps...)
		}
	}
	drop(s.PrivateDevices, unix.CAP_MKNOD, unix.CAP_SYS_RAWIO)
	drop(s.ProtectKernelModules, unix.CAP_SYS_MODULE)
	drop(s.ProtectKernelLogs, unix.CAP_SYSLOG)
	drop(s.ProtectClock, unix.CAP_SYS_TIME, unix.CAP_WAKE_ALARM)
	if !v.DynamicUser {
		return
	}
	if !on(s.PrivateTmp) {
		s.PrivateTmp = "yes"
	}
	if !on(s.ProtectHome) {
		s.ProtectHome = "read-only"
	}
	s.ProtectSystem = "strict"
	s.RemoveIPC, s.NoNewPrivileges, s.RestrictSUIDSGID = true, true, true
}

// implyDevices finds the devices that other settings need, where all but the
// allowed are closed off.
func (v *view) implyDevices() {
	if v.Settings.PrivateDevices && !v.hasDevicePolicy() {
		v.DevicePolicy = "closed"
	}
	if !v.hasDevicePolicy() && len(v.DeviceAllow) == 0 {
		return
	}
	v.DeviceAllow = slices.Clone(v.DeviceAllow)
	if v.RootImage != "" {
		v.DeviceAllow = append(v.DeviceAllow, "/dev/loop-control rw", "/dev/mapper/control rw",
			"block-loop rwm", "block-blkext rwm", "block-device-mapper rwm")
	}
	if v.Settings.ProtectClock {
		v.DeviceAllow = append(v.DeviceAllow, "char-rtc r")
	}
	if v.version < tpmByService && v.hasEncryptedCredentials() {
		v.DeviceAllow = append(v.DeviceAllow, "char-tpm rw")
	}
}

// tpmByService is the first version whose services don't open the TPM themselves
// for encrypted credentials.
const tpmByService = 258

func (v *view) hasDevicePolicy() bool { return v.DevicePolicy != "" && v.DevicePolicy != "auto" }

func (v *view) hasEncryptedCredentials() bool {
	return slices.ContainsFunc(v.Settings.Credentials, func(c sandbox.Credential) bool {
		return strings.HasSuffix(c.Setting, "CredentialEncrypted")
	})
}

// privileged tells whether the unit runs as root.
func (v *view) privileged() bool {
	return v.userIsRoot() || !v.DynamicUser && v.User == ""
}

func (v *view) userIsRoot() bool { return v.User == "0" || v.User == "root" }

// on reads a setting that has further words beside no and yes.
func on(word string) bool { return word != "" && word != "no" }
