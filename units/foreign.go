package units

import "strings"

// replacement names the setting that took the place of one of cgroup v1, which
// systemd parses and ignores since version 258.
func replacement(name string) string {
	switch name {
	case "CPUShares":
		return "CPUWeight"
	case "StartupCPUShares":
		return "StartupCPUWeight"
	case "MemoryLimit":
		return "MemoryMax"
	case "BlockIOAccounting":
		return "IOAccounting"
	case "BlockIOWeight":
		return "IOWeight"
	case "StartupBlockIOWeight":
		return "StartupIOWeight"
	case "BlockIODeviceWeight":
		return "IODeviceWeight"
	case "BlockIOReadBandwidth":
		return "IOReadBandwidthMax"
	case "BlockIOWriteBandwidth":
		return "IOWriteBandwidthMax"
	}
	return ""
}

// refusal says why a scope doesn't take a setting and which unit type does, or
// returns "" for a name that no unit type has.
func refusal(name string) string {
	switch {
	case strings.HasPrefix(name, "Limit") && has(execLimits, name[len("Limit"):]), has(execSettings, name):
		return "is a sandbox setting: it belongs in [sandbox]"
	case has(serviceSettings, name):
		return "a scope does not take it: it is a setting of services; it belongs in [service]"
	case has(unitSettings, name), isCondition(name):
		return "is a setting of units, not a resource: it belongs in [service]"
	case has(installSettings, name):
		return "is a setting of installed units: it belongs in [service]"
	}
	for _, t := range otherTypes {
		if has(t.settings, name) {
			return "a scope does not take it: it is a setting of " + t.plural
		}
	}
	return ""
}

// has reports whether the words of list include name.
func has(list, name string) bool {
	for word := range strings.FieldsSeq(list) {
		if word == name {
			return true
		}
	}
	return false
}

func isCondition(name string) bool {
	for _, prefix := range [...]string{"Condition", "Assert"} {
		if what, ok := strings.CutPrefix(name, prefix); ok && has(conditions, what) {
			return true
		}
	}
	return false
}

// The names of systemd 262's settings that a scope refuses, from the man pages
// systemd.exec(5), systemd.service(5), systemd.unit(5) and so on.
const (
	execLimits = "AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK"

	execSettings = `
AmbientCapabilities AppArmorProfile BPFDelegateAttachments BPFDelegateCommands
BPFDelegateMaps BPFDelegatePrograms BindLogSockets BindPaths BindReadOnlyPaths
CPUAffinity CPUSchedulingPolicy CPUSchedulingPriority CPUSchedulingResetOnFork
CacheDirectory CacheDirectoryAccounting CacheDirectoryMode CacheDirectoryQuota
CapabilityBoundingSet ConfigurationDirectory ConfigurationDirectoryMode
CoredumpFilter DelegateNamespaces DynamicUser Environment EnvironmentFile
ExecPaths ExecSearchPath ExtensionDirectories ExtensionImagePolicy
ExtensionImages Group IOSchedulingClass IOSchedulingPriority IPCNamespacePath
IgnoreSIGPIPE ImportCredential InaccessibleDirectories InaccessiblePaths
KeyringMode LoadCredential LoadCredentialEncrypted LockPersonality
LogExtraFields LogFilterPatterns LogLevelMax LogNamespace LogRateLimitBurst
LogRateLimitIntervalSec LogsDirectory LogsDirectoryAccounting LogsDirectoryMode
LogsDirectoryQuota MemoryDenyWriteExecute MemoryKSM MemoryTHP MountAPIVFS
MountFlags MountImagePolicy MountImages NUMAMask NUMAPolicy
NetworkNamespacePath Nice NoExecPaths NoNewPrivileges OOMScoreAdjust PAMName
PassEnvironment Personality PrivateBPF PrivateDevices PrivateIPC PrivateMounts
PrivateNetwork PrivatePIDs PrivateTmp PrivateUsers ProcSubset ProtectClock
ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs
ProtectKernelModules ProtectKernelTunables ProtectProc ProtectSystem
ReadOnlyDirectories ReadOnlyPaths ReadWriteDirectories ReadWritePaths RemoveIPC
RestrictAddressFamilies RestrictFileSystems RestrictNamespaces RestrictRealtime
RestrictSUIDSGID RootDirectory RootEphemeral RootHash RootHashSignature
RootImage RootImageOptions RootImagePolicy RootMStack RootVerity
RuntimeDirectory RuntimeDirectoryMode RuntimeDirectoryPreserve SELinuxContext
SecureBits SetCredential SetCredentialEncrypted SetLoginEnvironment
SmackProcessLabel StandardError StandardInput StandardInputData
StandardInputText StandardOutput StateDirectory StateDirectoryAccounting
StateDirectoryMode StateDirectoryQuota SupplementaryGroups SyslogFacility
SyslogIdentifier SyslogLevel SyslogLevelPrefix SystemCallArchitectures
SystemCallErrorNumber SystemCallFilter SystemCallLog TTYColumns TTYPath TTYReset
TTYRows TTYVHangup TTYVTDisallocate TemporaryFileSystem TimeoutCleanSec
TimerSlackNSec UMask UnsetEnvironment User UserNamespacePath UtmpIdentifier
UtmpMode WorkingDirectory`

	serviceSettings = `
BusName ExecCondition ExecReload ExecReloadPost ExecStart ExecStartPost
ExecStartPre ExecStop ExecStopPost ExitType FileDescriptorStoreMax
FileDescriptorStorePreserve GuessMainPID LUOSession NonBlocking NotifyAccess
OpenFile PIDFile RefreshOnReload ReloadSignal RemainAfterExit Restart
RestartForceExitStatus RestartMaxDelaySec RestartMode RestartPreventExitStatus
RestartRandomizedDelaySec RestartSec RestartSteps RootDirectoryStartOnly Sockets
SuccessExitStatus TimeoutAbortSec TimeoutSec TimeoutStartFailureMode
TimeoutStartSec TimeoutStopFailureMode Type USBFunctionDescriptors
USBFunctionStrings WatchdogSec`

	unitSettings = `
After AllowIsolate Before BindsTo CollectMode Conflicts DefaultDependencies
Description Documentation FailureAction FailureActionExitStatus IgnoreOnIsolate
JobRunningTimeoutSec JobTimeoutAction JobTimeoutRebootArgument JobTimeoutSec
JoinsNamespaceOf OnFailure OnFailureJobMode OnSuccess OnSuccessJobMode PartOf
PropagatesReloadTo PropagatesStopTo RebootArgument RefuseManualStart
RefuseManualStop ReloadPropagatedFrom Requires RequiresMountsFor Requisite
SourcePath StartLimitAction StartLimitBurst StartLimitIntervalSec
StopPropagatedFrom StopWhenUnneeded SuccessAction SuccessActionExitStatus
SurviveFinalKillSignal Upholds Wants WantsMountsFor`

	conditions = `
ACPower Architecture CPUFeature CPUPressure CPUs Capability
ControlGroupController Credential DirectoryNotEmpty Environment FileIsExecutable
FileNotEmpty Firmware FirstBoot Fraction Group Host IOPressure KernelCommandLine
KernelModuleLoaded KernelVersion MachineTag Memory MemoryPressure NeedsUpdate
OSRelease PathExists PathExistsGlob PathIsDirectory PathIsEncrypted
PathIsMountPoint PathIsReadWrite PathIsSocket PathIsSymbolicLink Security User
Version Virtualization`

	installSettings = "Alias Also DefaultInstance RequiredBy UpheldBy WantedBy"
)

// otherTypes are the unit types that berth never makes.
var otherTypes = [...]struct{ plural, settings string }{
	{"sockets", `
Accept AcceptFileDescriptors Backlog BindIPv6Only BindToDevice Broadcast
DeferAcceptSec DeferTrigger DeferTriggerMaxSec DirectoryMode ExecStopPre
FileDescriptorName FlushPending FreeBind IPTOS IPTTL KeepAlive
KeepAliveIntervalSec KeepAliveProbes KeepAliveTimeSec ListenDatagram ListenFIFO
ListenMessageQueue ListenNetlink ListenSequentialPacket ListenSpecial
ListenStream ListenUSBFunction Mark MaxConnections MaxConnectionsPerSource
MessageQueueMaxMessages MessageQueueMessageSize NoDelay PassCredentials
PassFileDescriptorsToExec PassPIDFD PassPacketInfo PassSecurity PipeSize
PollLimitBurst PollLimitIntervalSec Priority ReceiveBuffer RemoveOnStop
ReusePort SELinuxContextFromNet SendBuffer Service SmackLabel SmackLabelIPIn
SmackLabelIPOut SocketGroup SocketMode SocketProtocol SocketUser Symlinks
TCPCongestion Timestamping Transparent TriggerLimitBurst TriggerLimitIntervalSec
Writable XAttrAccept XAttrEntryPoint XAttrListen`},
	{"mounts", "ForceUnmount LazyUnmount Options ReadWriteOnly SloppyOptions What Where"},
	{"automounts", "ExtraOptions TimeoutIdleSec"},
	{"timers", `
AccuracySec DeferReactivation FixedRandomDelay OnActiveSec OnBootSec OnCalendar
OnClockChange OnStartupSec OnTimezoneChange OnUnitActiveSec OnUnitInactiveSec
Persistent RandomizedDelaySec RandomizedOffsetSec RemainAfterElapse Unit
WakeSystem`},
	{"paths", `
DirectoryNotEmpty MakeDirectory PathChanged PathExists PathExistsGlob
PathModified`},
	{"slices", `
ActivatingConcurrencyMax ConcurrencyHardMax ConcurrencySoftMax DefaultMemoryLow
DefaultMemoryMin DefaultStartupMemoryLow`},
}
