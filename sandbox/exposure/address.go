package exposure

import (
	"net/netip"
	"slices"
	"strings"

	"berth/sandbox"
)

// findAddresses judges what the unit may talk to.
func findAddresses(v *view) (int, string) {
	localhost, other := classify(v.IPAddressAllow)
	switch {
	case len(v.IPIngressFilters) > 0 || len(v.IPEgressFilters) > 0:
		return 0, "BPF programs of its own decide about IP packets"
	case !denyAll(v.IPAddressDeny):
		return 10, "No list says which IP addresses it may talk to"
	case other:
		return 5, "It may talk to the listed IP addresses, not only to localhost"
	case localhost:
		return 2, "It may talk to localhost only"
	}
	return 0, "It may talk to no IP address"
}

// denyAll tells whether a list has all addresses of both families.
func denyAll(words []string) bool {
	var four, six bool
	for _, word := range words {
		for _, p := range prefixes(word) {
			four = four || p.Bits() == 0 && p.Addr().Is4()
			six = six || p.Bits() == 0 && p.Addr().Is6()
		}
	}
	return four && six
}

// classify tells whether there are entries of the loopback interface, and others.
func classify(words []string) (localhost, other bool) {
	for _, word := range words {
		for _, p := range prefixes(word) {
			if p.Masked().Addr().IsLoopback() {
				localhost = true
			} else {
				other = true
			}
		}
	}
	return localhost, other
}

// prefixes reads a word of IPAddressAllow= or IPAddressDeny=. What is none is
// passed over, as systemd does.
func prefixes(word string) []netip.Prefix {
	switch word {
	case "any":
		return parsePrefixes("0.0.0.0/0", "::/0")
	case "localhost":
		return parsePrefixes("127.0.0.0/8", "::1/128")
	case "link-local":
		return parsePrefixes("169.254.0.0/16", "fe80::/64")
	case "multicast":
		return parsePrefixes("224.0.0.0/4", "ff00::/8")
	}
	return parsePrefixes(word)
}

func parsePrefixes(words ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, word := range words {
		if a, err := netip.ParseAddr(word); err == nil {
			list = append(list, netip.PrefixFrom(a, a.BitLen()))
		} else if p, err := netip.ParsePrefix(word); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// families are the kinds of sockets that RestrictAddressFamilies= leaves out.
type families struct{ inet, local, netlink, packet, other bool }

// newFamilies: a kind of several families is as the last of them in the list,
// and one is enough to close or open it.
func newFamilies(list sandbox.CallList) families {
	if !list.Set {
		return families{}
	}
	named := func(kind ...string) bool {
		found := slices.ContainsFunc(list.Names, func(name string) bool { return slices.Contains(kind, name) })
		return found != list.Allow
	}
	others := slices.DeleteFunc(slices.Clone(list.Names), func(name string) bool {
		return slices.Contains([]string{"AF_INET", "AF_INET6", "AF_UNIX", "AF_LOCAL", "AF_NETLINK", "AF_ROUTE", "AF_PACKET"}, name)
	})
	return families{
		inet:    named("AF_INET", "AF_INET6"),
		local:   named("AF_UNIX", "AF_LOCAL"),
		netlink: named("AF_NETLINK", "AF_ROUTE"),
		packet:  named("AF_PACKET"),
		other:   (len(others) > 0) != list.Allow,
	}
}

// findDevices judges the list of devices.
func findDevices(v *view) (int, string) {
	switch {
	case !v.hasDevicePolicy():
		return 10, "All devices may be used whose nodes it can open"
	case len(v.DeviceAllow) > 0:
		return 5, "Devices beyond the pseudo devices may be used: " + strings.Join(v.DeviceAllow, ", ")
	}
	return 0, "Only pseudo devices such as /dev/null may be used"
}
