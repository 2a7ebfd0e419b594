package units

import (
	"net/netip"
	"strconv"
	"strings"

	"berth/internal/unitfile"
)

// Numbers of the kernel's ABI that properties carry: linux/socket.h,
// linux/in.h and linux/netfilter.h, which are the same on every architecture.
const (
	familyIPv4, familyIPv6   = 2, 10
	protocolTCP, protocolUDP = 6, 17
)

const (
	anyAddress    = "addresses such as 10.0.0.0/8 or fe80::1, any, localhost, link-local or multicast"
	anySocketBind = "[ipv4:|ipv6:][tcp:|udp:] and a port, a range such as 1024-2048 or any"
	anyInterface  = "the name of a network interface"
	anyNFTSet     = "SOURCE:FAMILY:TABLE:SET, such as cgroup:inet:filter:web, with a source of cgroup, user or group and a family of arp, bridge, inet, ip, ip6 or netdev"
)

func convertIPAddresses(s *Setting, values []string) ([]Property, error) {
	return list(s.Name, values, func(v string) ([]addressPrefix, error) {
		var prefixes []addressPrefix
		for word := range strings.FieldsSeq(v) {
			more, ok := addresses(word)
			if !ok {
				return nil, mustBe(anyAddress, word)
			}
			prefixes = append(prefixes, more...)
		}
		return prefixes, nil
	})
}

// addresses reads one prefix, or a word that stands for one of each family.
func addresses(word string) ([]addressPrefix, bool) {
	switch {
	case word == "any":
		return bothFamilies("0.0.0.0/0", "::/0"), true
	case isLocalhost(word):
		return bothFamilies("127.0.0.0/8", "::1/128"), true
	case word == "link-local":
		return bothFamilies("169.254.0.0/16", "fe80::/64"), true
	case word == "multicast":
		return bothFamilies("224.0.0.0/4", "ff00::/8"), true
	}
	address, bits, sliced := strings.Cut(word, "/")
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Zone() != "" {
		return nil, false
	}
	n := uint64(addr.BitLen())
	if sliced {
		if n, err = unitfile.Unsigned(bits); err != nil || n > uint64(addr.BitLen()) {
			return nil, false
		}
	}
	return []addressPrefix{prefixOf(addr, uint32(n))}, true
}

func bothFamilies(v4, v6 string) []addressPrefix {
	a, b := netip.MustParsePrefix(v4), netip.MustParsePrefix(v6)
	return []addressPrefix{prefixOf(a.Addr(), uint32(a.Bits())), prefixOf(b.Addr(), uint32(b.Bits()))}
}

func prefixOf(addr netip.Addr, bits uint32) addressPrefix {
	family := int32(familyIPv6)
	if addr.Is4() {
		family = familyIPv4
	}
	return addressPrefix{family, addr.AsSlice(), bits}
}

// isLocalhost knows the names that systemd takes for the local host, which are
// those of RFC 6761 and Red Hat's localdomain.
func isLocalhost(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	name = strings.TrimSuffix(name, ".localdomain")
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

func convertSocketBind(s *Setting, values []string) ([]Property, error) {
	return list(s.Name, values, func(v string) ([]socketBind, error) {
		rule, ok := bindRule(strings.Split(v, ":"))
		if !ok {
			return nil, mustBe(anySocketBind, v)
		}
		return []socketBind{rule}, nil
	})
}

// bindRule reads a family, a protocol and ports, of which each may be missing.
func bindRule(tokens []string) (rule socketBind, ok bool) {
	next := func() { tokens = tokens[1:] }
	switch tokens[0] {
	case "ipv4":
		rule.Family = familyIPv4
		next()
	case "ipv6":
		rule.Family = familyIPv6
		next()
	}
	if len(tokens) > 0 {
		switch tokens[0] {
		case "tcp":
			rule.Protocol = protocolTCP
			next()
		case "udp":
			rule.Protocol = protocolUDP
			next()
		}
	}
	if len(tokens) == 0 {
		return rule, true
	}
	if len(tokens) > 1 {
		return rule, false
	}
	if tokens[0] == "any" {
		return rule, true
	}
	first, last, ok := portRange(tokens[0])
	rule.First, rule.Ports = first, last-first+1
	return rule, ok
}

func portRange(v string) (first, last uint16, ok bool) {
	low, high, isRange := strings.Cut(v, "-")
	a, err := unitfile.Unsigned(low)
	b := a
	if err == nil && isRange {
		b, err = unitfile.Unsigned(high)
	}
	return uint16(a), uint16(b), err == nil && a >= 1 && a <= b && b <= 65535
}

// convertInterfaces sends each assignment as it is: systemd takes the first to
// say whether the list allows or denies, and one of the other kind to remove
// names from it.
func convertInterfaces(s *Setting, values []string) ([]Property, error) {
	var props []Property
	for _, v := range values {
		if v == "" {
			props = []Property{NewProperty(s.Name, interfaceList{Names: []string{}})}
			continue
		}
		text, deny := strings.CutPrefix(v, "~")
		names, err := words(text)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 { // on the bus it would reset the list
			return nil, mustBe("names of network interfaces", v)
		}
		for _, name := range names {
			if !validInterface(name) {
				return nil, mustBe(anyInterface, name)
			}
		}
		props = append(props, NewProperty(s.Name, interfaceList{Allow: !deny, Names: names}))
	}
	return props, nil
}

func convertInterface(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		if v != "" && !validInterface(v) {
			return Property{}, mustBe(anyInterface, v)
		}
		return NewProperty(s.Name, v), nil
	})
}

func validInterface(name string) bool {
	const longest = 127 // ALTIFNAMSIZ - 1
	if name == "" || len(name) > longest || strings.Trim(name, digits) == "" {
		return false
	}
	switch name {
	case ".", "..", "all", "default":
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || r == ':' || r == '/' || r == '%'
	})
}

func convertNFTSets(s *Setting, values []string) ([]Property, error) {
	return list(s.Name, values, func(v string) ([]nftSet, error) {
		tuples, err := words(v)
		if err != nil {
			return nil, err
		}
		sets := make([]nftSet, len(tuples))
		for i, tuple := range tuples {
			set, ok := parseNFTSet(tuple)
			if !ok {
				return nil, mustBe(anyNFTSet, tuple)
			}
			sets[i] = set
		}
		return sets, nil
	})
}

// nftSource and nftFamily return the numbers on the bus, -1 for an unknown name:
// systemd's own for the source, NFPROTO_* of linux/netfilter.h for the family.
func nftSource(name string) int32 {
	switch name {
	case "cgroup":
		return 3
	case "user":
		return 4
	case "group":
		return 5
	}
	return -1
}

func nftFamily(name string) int32 {
	switch name {
	case "inet":
		return 1
	case "ip":
		return 2
	case "arp":
		return 3
	case "netdev":
		return 5
	case "bridge":
		return 7
	case "ip6":
		return 10
	}
	return -1
}

func parseNFTSet(tuple string) (nftSet, bool) {
	parts := strings.Split(tuple, ":")
	if len(parts) != 4 {
		return nftSet{}, false
	}
	set := nftSet{nftSource(parts[0]), nftFamily(parts[1]), parts[2], parts[3]}
	return set, set.Source >= 0 && set.Protocol >= 0 && validNFTName(set.Table) && validNFTName(set.Set)
}

func validNFTName(name string) bool {
	const longest = 255 // NFT_NAME_MAXLEN - 1
	isLetter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	if name == "" || len(name) > longest || !isLetter(name[0]) {
		return false
	}
	for i := range len(name) {
		if !isLetter(name[i]) && strings.IndexByte(digits, name[i]) < 0 && strings.IndexByte(`/\_.`, name[i]) < 0 {
			return false
		}
	}
	return true
}

func (n nftSet) String() string {
	source := strconv.Itoa(int(n.Source))
	for _, name := range [...]string{"cgroup", "user", "group"} {
		if nftSource(name) == n.Source {
			source = name
		}
	}
	family := strconv.Itoa(int(n.Protocol))
	for _, name := range [...]string{"inet", "ip", "arp", "netdev", "bridge", "ip6"} {
		if nftFamily(name) == n.Protocol {
			family = name
		}
	}
	return source + ":" + family + ":" + n.Table + ":" + n.Set
}
