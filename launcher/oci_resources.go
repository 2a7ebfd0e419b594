package launcher

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"berth/units"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// resources renders the scope's properties: all of them as annotations, and
// those that the specification knows, or that are a file of cgroup v2, as
// resources.
func (r *ociRender) resources() *specs.LinuxResources {
	out := &specs.LinuxResources{Devices: r.deviceRules()}
	for _, property := range r.Unit.Properties {
		r.annotations[annotateSystemd+property.Name] = gvariant(property)
		switch v := property.Value.Value().(type) {
		case uint64:
			r.limit(out, property.Name, v)
		case []byte:
			cpuSet(out, property)
		}
	}
	r.quota(out)
	return out
}

// limit renders a number. infinity is -1, and in a file "max".
func (r *ociRender) limit(out *specs.LinuxResources, name string, v uint64) {
	switch name {
	case "MemoryMax":
		limit := signed(v)
		memory(out).Limit = &limit
	case "TasksMax":
		limit := signed(v)
		out.Pids = &specs.LinuxPids{Limit: &limit}
	case "CPUWeight":
		if v == 0 { // systemd's "idle"
			idle := int64(1)
			cpu(out).Idle = &idle
			return
		}
		unified(out, "cpu.weight", v) // the specification has cgroup v1's shares, and each runtime a formula of its own
	default:
		if file := cgroupFile(name); file != "" {
			unified(out, file, v)
		}
	}
}

// cgroupFile is the file of cgroup v2 that systemd writes a property's number
// to. See the kernel's Documentation/admin-guide/cgroup-v2.rst.
func cgroupFile(property string) string {
	switch property {
	case "MemoryMin":
		return "memory.min"
	case "MemoryLow":
		return "memory.low"
	case "MemoryHigh":
		return "memory.high"
	case "MemorySwapMax":
		return "memory.swap.max"
	case "MemoryZSwapMax":
		return "memory.zswap.max"
	case "IOWeight":
		return "io.weight"
	}
	return ""
}

func unified(out *specs.LinuxResources, file string, v uint64) {
	value := strconv.FormatUint(v, 10)
	if v == units.Infinity {
		if strings.HasSuffix(file, "weight") {
			return // not set
		}
		value = "max"
	}
	if out.Unified == nil {
		out.Unified = map[string]string{}
	}
	out.Unified[file] = value
}

func memory(out *specs.LinuxResources) *specs.LinuxMemory {
	if out.Memory == nil {
		out.Memory = new(specs.LinuxMemory)
	}
	return out.Memory
}

func cpu(out *specs.LinuxResources) *specs.LinuxCPU {
	if out.CPU == nil {
		out.CPU = new(specs.LinuxCPU)
	}
	return out.CPU
}

func signed(v uint64) int64 {
	if v > math.MaxInt64 {
		return -1
	}
	return int64(v)
}

// cpuSet renders a set of CPUs or memory nodes.
func cpuSet(out *specs.LinuxResources, property units.Property) {
	list, _ := property.Readable().(string)
	switch property.Name {
	case "AllowedCPUs":
		cpu(out).Cpus = list
	case "AllowedMemoryNodes":
		cpu(out).Mems = list
	}
}

// The bounds that the kernel sets on the period and the time in it, and the
// period where none is given, in µs.
const (
	minPeriod, maxPeriod = 1_000, 1_000_000
	defaultPeriod        = 100_000
	minQuota             = 1_000
)

// quota renders CPUQuota, µs in a second, as time in a period. The period is
// adjusted to the kernel's bounds as systemd does (cgroup_cpu_adjust_period in
// its src/core/cgroup.c).
func (r *ociRender) quota(out *specs.LinuxResources) {
	perSecond, given := r.number("CPUQuotaPerSecUSec")
	if !given || perSecond == 0 || perSecond == units.Infinity {
		return
	}
	period, given := r.number("CPUQuotaPeriodUSec")
	if !given || period == units.Infinity {
		period = defaultPeriod
	}
	period = min(max(period, minPeriod, minQuota*1_000_000/perSecond), maxPeriod)
	quota := signed(max(perSecond*period/1_000_000, minQuota))
	cpu(out).Quota, cpu(out).Period = &quota, &period
}

// number returns a numeric property of the scope; the last of a name counts.
func (r *ociRender) number(name string) (v uint64, given bool) {
	for _, property := range r.Unit.Properties {
		if n, ok := property.Value.Value().(uint64); ok && property.Name == name {
			v, given = n, true
		}
	}
	return v, given
}

// text returns a property of the scope that is a string; the last of a name
// counts.
func (r *ociRender) text(name string) string {
	var value string
	for _, property := range r.Unit.Properties {
		if v, ok := property.Value.Value().(string); ok && property.Name == name {
			value = v
		}
	}
	return value
}

func (r *ociRender) givenSlice() string { return r.text("Slice") }

// deviceRules renders DevicePolicy: strict allows nothing, closed what every
// program expects (bpf_devices_allow_list_static in systemd's
// src/core/bpf-devices.c), auto everything unless DeviceAllow is given too.
// DeviceAllow has names, of which only the machine knows the numbers.
func (r *ociRender) deviceRules() []specs.LinuxDeviceCgroup {
	policy := r.text("DevicePolicy")
	if policy == "auto" && !r.hasDeviceAllow() {
		return []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	}
	rules := []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	if policy == "strict" {
		return rules
	}
	allow := func(major, minor int64, access string) {
		rule := specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: &major, Access: access}
		if minor >= 0 {
			rule.Minor = &minor
		}
		rules = append(rules, rule)
	}
	for _, d := range devices {
		allow(int64(d.major), int64(d.minor), "rwm")
	}
	allow(5, 2, "rwm") // ptmx
	allow(136, -1, "rw")
	return rules
}

func (r *ociRender) hasDeviceAllow() bool {
	for _, property := range r.Unit.Properties {
		if list, ok := property.Readable().([]string); ok && property.Name == "DeviceAllow" && len(list) > 0 {
			return true
		}
	}
	return false
}

// gvariant writes a property's value in GVariant's text format, with single
// quotes and type names, which is what crun reads. A type that it doesn't know
// is written as runc reads it.
func gvariant(property units.Property) string {
	switch v := property.Value.Value().(type) {
	case string:
		return quoteGVariant(v)
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = quoteGVariant(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case uint64:
		return fmt.Sprint("uint64 ", v)
	case uint32:
		return fmt.Sprint("uint32 ", v)
	}
	return property.Value.String()
}

func quoteGVariant(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
