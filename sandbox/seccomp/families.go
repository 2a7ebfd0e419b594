package seccomp

import (
	"slices"
	"strings"
)

// families are the address families by their numbers from 1, of the kernel's
// linux/socket.h, and "/" between the names of one. See address_families(7).
const families = "AF_UNIX/AF_LOCAL/AF_FILE AF_INET AF_AX25 AF_IPX AF_APPLETALK AF_NETROM AF_BRIDGE AF_ATMPVC AF_X25 " +
	"AF_INET6 AF_ROSE AF_DECnet AF_NETBEUI AF_SECURITY AF_KEY AF_NETLINK/AF_ROUTE AF_PACKET AF_ASH AF_ECONET AF_ATMSVC " +
	"AF_RDS AF_SNA AF_IRDA AF_PPPOX AF_WANPIPE AF_LLC AF_IB AF_MPLS AF_CAN AF_TIPC AF_BLUETOOTH AF_IUCV AF_RXRPC " +
	"AF_ISDN AF_PHONET AF_IEEE802154 AF_CAIF AF_ALG AF_NFC AF_VSOCK AF_KCM AF_QIPCRTR AF_SMC AF_XDP AF_MCTP"

// sysSocket is the number of socket(2) to socketcall(2), SYS_SOCKET of the
// kernel's linux/net.h.
const sysSocket = 1

// AddressFamilies is RestrictAddressFamilies=: with allow, socket(2) makes sockets
// of the named families only, otherwise of all but those. Names that CheckFamily
// refuses count for nothing.
//
// Sockets that come in other ways stay: from socketpair(2), io_uring or another
// process. On x86 a filter can't see what socketcall(2) is told, which therefore
// makes no sockets at all; systemd leaves it open.
func AddressFamilies(names []string, allow bool) []Layer {
	var named []uint64
	for _, name := range names {
		if n, ok := family(name); ok {
			named = append(named, n)
		}
	}
	if !allow && len(named) == 0 {
		return nil
	}
	deny := func(call string, args ...Compare) Rule {
		return Rule{Call: call, Args: args, Action: "EAFNOSUPPORT"}
	}
	rules := []Rule{deny("socketcall", number(0, sysSocket))}
	switch {
	case !allow:
		for _, n := range named {
			rules = append(rules, deny("socket", number(0, n)))
		}
	case len(named) == 0:
		rules = append(rules, deny("socket"))
	default:
		last := slices.Max(named)
		for n := range last {
			if !slices.Contains(named, n) {
				rules = append(rules, deny("socket", number(0, n)))
			}
		}
		rules = append(rules, deny("socket", Compare{Arg: 0, Op: Greater, Value: last}))
	}
	return []Layer{denying("RestrictAddressFamilies", rules...)}
}

// CheckFamily returns an error for a name that is no address family.
func CheckFamily(name string) error {
	if _, ok := family(name); ok {
		return nil
	}
	return unknown("address family", name, strings.FieldsFunc(families, func(r rune) bool { return r == ' ' || r == '/' }))
}

// family returns the number of an address family.
func family(name string) (uint64, bool) {
	for i, names := range strings.Fields(families) {
		if slices.Contains(strings.Split(names, "/"), name) {
			return uint64(i) + 1, true
		}
	}
	return 0, false
}
