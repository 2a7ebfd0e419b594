package units

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Property is one property of a unit as the bus carries it. Its name can
// differ from the setting's: CPUQuota is CPUQuotaPerSecUSec, a MemoryMax in
// percent is MemoryMaxScale.
type Property struct {
	Name  string
	Value dbus.Variant
}

// NewProperty makes a property of a Go value of the D-Bus type that systemd
// expects of it. It panics for a Go type that D-Bus lacks.
func NewProperty(name string, value any) Property {
	return Property{Name: name, Value: dbus.MakeVariant(value)}
}

// Limit returns the value of a property that is a number, such as TasksMax.
func (p Property) Limit() (n uint64, ok bool) {
	n, ok = p.Value.Value().(uint64)
	return n, ok
}

// The elements of list properties, with the names of their D-Bus signatures.
type (
	devicePermission struct{ Path, Permissions string } // (ss)
	deviceValue      struct {                           // (st)
		Path  string
		Value uint64
	}
	bpfProgram    struct{ Attach, Path string } // (ss)
	addressPrefix struct {                      // (iayu)
		Family  int32
		Address []byte
		Bits    uint32
	}
	socketBind struct { // (iiqq)
		Family, Protocol int32
		Ports, First     uint16
	}
	interfaceList struct { // (bas)
		Allow bool
		Names []string
	}
	nftSet struct { // (iiss)
		Source, Protocol int32
		Table, Set       string
	}
)

// String writes the property as NAME=VALUE for a person to read.
func (p Property) String() string {
	switch v := p.Readable().(type) {
	case []string:
		return p.Name + "=" + strings.Join(v, " ")
	default:
		return fmt.Sprint(p.Name, "=", v)
	}
}

// MarshalJSON writes {"name": …, "value": …} with the value of Readable.
func (p Property) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name  string `json:"name"`
		Value any    `json:"value"`
	}{p.Name, p.Readable()})
}

// Readable returns the value in the words of unit files where the bus has
// numbers that mean something else: time spans, percentages, signals, CPU
// lists, address prefixes. A plain number stays one, and one without a limit is
// "infinity". The result is a bool, a number, a string or a []string.
func (p Property) Readable() any {
	switch v := p.Value.Value().(type) {
	case uint64:
		return p.readableNumber(v)
	case uint32:
		if strings.HasSuffix(p.Name, "Scale") || p.Name == "ManagedOOMMemoryPressureLimit" {
			return percent(v)
		}
		return v
	case int32:
		if strings.HasSuffix(p.Name, "Signal") {
			return signalName(int(v))
		}
		return v
	case []byte:
		return cpuRanges(v)
	case []devicePermission:
		return lines(v, func(d devicePermission) string { return strings.TrimSpace(d.Path + " " + d.Permissions) })
	case []bpfProgram:
		return lines(v, func(b bpfProgram) string { return b.Attach + ":" + b.Path })
	case []deviceValue:
		return lines(v, func(d deviceValue) string { return d.Path + " " + fmt.Sprint(p.readableNumber(d.Value)) })
	case []addressPrefix:
		return lines(v, addressPrefix.String)
	case []socketBind:
		return lines(v, socketBind.String)
	case []nftSet:
		return lines(v, nftSet.String)
	case interfaceList:
		return v.String()
	case []dbus.UnixFD:
		return lines(v, func(fd dbus.UnixFD) string { return "fd " + strconv.Itoa(int(fd)) })
	default:
		return v
	}
}

func (p Property) readableNumber(v uint64) any {
	switch {
	case strings.HasSuffix(p.Name, "USec"):
		return FormatTimespan(v)
	case strings.HasSuffix(p.Name, "CPUWeight") && v == 0:
		return "idle"
	case strings.HasSuffix(p.Name, "Weight") && v == Infinity:
		return "" // not set
	case v == Infinity:
		return "infinity"
	}
	return v
}

func lines[T any](list []T, line func(T) string) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = line(v)
	}
	return out
}

// percent writes a fraction of 2^32-1 with the decimals it needs, at most two.
func percent(scale uint32) string {
	permyriad := (uint64(scale)*10000 + 1<<31) / (1<<32 - 1)
	return strconv.FormatFloat(float64(permyriad)/100, 'f', -1, 64) + "%"
}

func (a addressPrefix) String() string {
	addr, ok := netip.AddrFromSlice(a.Address)
	if !ok {
		return fmt.Sprintf("invalid address %x", a.Address)
	}
	return netip.PrefixFrom(addr, int(a.Bits)).String()
}

func (s socketBind) String() string {
	text := ""
	switch s.Family {
	case familyIPv4:
		text = "ipv4:"
	case familyIPv6:
		text = "ipv6:"
	}
	switch s.Protocol {
	case protocolTCP:
		text += "tcp:"
	case protocolUDP:
		text += "udp:"
	}
	switch s.Ports {
	case 0:
		return text + "any"
	case 1:
		return text + strconv.Itoa(int(s.First))
	}
	return fmt.Sprintf("%s%d-%d", text, s.First, int(s.First)+int(s.Ports)-1)
}

func (l interfaceList) String() string {
	if l.Allow {
		return strings.Join(l.Names, " ")
	}
	return "~" + strings.Join(l.Names, " ")
}
