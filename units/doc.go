// Package units speaks to systemd: it turns settings written in unit-file
// syntax into typed D-Bus properties, starts and stops scopes with them,
// registers machines with systemd-machined, and opens journal streams.
//
// The property table is pure and needs neither root nor a bus:
//
//	setting, err := units.Lookup("MemoryMax")
//	...
//	props, err := setting.Convert([]string{"50%"}) // MemoryMaxScale = 2147483648
//
// Everything else goes through one connection to the system bus:
//
//	m, err := units.Connect(ctx)
//	...
//	defer m.Close()
//	job, err := m.Begin(ctx, units.Scope{Name: "berth-web.scope", PIDs: []int{pid}, Properties: props})
//	... // the job runs while other work is done
//	err = job.Wait(ctx)
//
// Limitations: specifiers (%i, %n, …) are not expanded, because systemd does
// not expand them in transient units either; a value that has one where a unit
// file would expand it is refused. Only the system manager is spoken to, never
// the one of a user's session. systemd accepts properties that it then can't
// enforce, and starts the scope without them: a controller that the kernel
// lacks, a device that is not there, a BPFProgram or (systemd 262; 257 fails
// the job) IPIngressFilterPath that is not pinned, SocketBindDeny without its
// BPF framework. Setting tells what each needs; checking it is the caller's.
package units
