package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// checkUser wants USER or USER:GROUP, each a name or a number.
func checkUser(s string) error {
	name, group, hasGroup := strings.Cut(s, ":")
	if err := checkAccount("user", name); err != nil {
		return err
	}
	if hasGroup {
		return checkAccount("group", group)
	}
	return nil
}

// checkAccount wants a number or a name as useradd(8) takes it.
func checkAccount(kind, s string) error {
	if s == "" {
		return fmt.Errorf("must be USER or USER:GROUP; the %s is empty", kind)
	}
	if isDigit(rune(s[0])) {
		_, err := parseID(s)
		return err
	}
	letters := strings.TrimSuffix(s, "$") // as Samba's machine accounts end
	bad := strings.IndexFunc(letters, func(r rune) bool {
		return !isLetter(r) && !isDigit(r) && r != '_' && r != '-' && r != '.'
	})
	if letters == "" || letters[0] == '-' || letters[0] == '.' || len(s) > 256 || bad >= 0 {
		return fmt.Errorf("%s is no valid name of a %s", quote(s), kind)
	}
	return nil
}

// parseID reads a user or group ID. 65535 and 4294967295 are (uid_t) -1 to
// 16-bit and 32-bit callers and belong to nobody.
func parseID(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	if err != nil || s != strconv.FormatUint(id, 10) || id == math.MaxUint16 || id == math.MaxUint32 {
		return 0, fmt.Errorf("%s is no valid user or group ID", quote(s))
	}
	return uint32(id), nil
}

// The IDs that systemd sets aside for containers (systemd's UIDS-GIDS).
const (
	firstContainerID = 524288
	lastContainerID  = 1879048191
	blockSize        = 65536
	smallestSize     = 256
)

// usersMap takes "auto", "host" or the first ID of a block.
func usersMap(u *Users) decoder {
	return func(n node) {
		switch v := n.value.(type) {
		case string:
			n.usersMapWord(u, v)
		case int64:
			if v < firstContainerID || v > lastContainerID {
				n.fail("must be from %d to %d, the IDs that systemd sets aside for containers", firstContainerID, lastContainerID)
				return
			}
			u.Map, u.Base = "base", uint32(v)
		default:
			n.mismatch(`"auto", "host" or an integer`)
		}
	}
}

func (n node) usersMapWord(u *Users, word string) {
	switch word {
	case "auto":
		u.Map = "auto"
	case "host":
		u.Map = "host"
	default:
		n.fail(`must be "auto", "host" or the first ID of a block, not %s`, quote(word))
	}
}

// usersSize takes how many IDs the container has.
func usersSize(target *uint32) decoder {
	return func(n node) {
		v, ok := n.value.(int64)
		switch {
		case !ok:
			n.mismatch("an integer")
		case v > blockSize:
			n.fail("must be at most %d: the lock that keeps a block exclusive, also from systemd-nspawn, covers one block of that size", blockSize)
		case v < smallestSize || v&(v-1) != 0:
			n.fail("must be a power of two from %d to %d", smallestSize, blockSize)
		default:
			*target = uint32(v)
		}
	}
}

// complete fills in what the file leaves out, and checks what concerns several
// keys.
func (u *Users) complete(d *document, p Process) {
	if u.Map == "" {
		u.Map = "auto"
	}
	if u.Map == "host" {
		u.completeHost(d)
		return
	}
	if u.Size == 0 {
		u.Size = blockSize
	}
	if u.Base%u.Size != 0 && !d.failed("users.size") {
		d.fail("users.map", "must be a multiple of size, %d", u.Size)
	}
	if err := u.checkUser(p.User); err != nil && !d.failed("process.user") {
		d.fail("process.user", "%v", err)
	}
	if !u.MapRoot && p.Boot {
		d.fail("users.map_root", "must be true when boot is: init runs as root")
	} else if !u.MapRoot && !d.given["process.user"] {
		d.fail("users.map_root", "cannot be false unless process.user names another user than root")
	}
}

// completeHost refuses what only a user namespace has.
func (u *Users) completeHost(d *document) {
	u.Size = 0
	if d.given["users.size"] {
		d.fail("users.size", `cannot be given when map is "host", which has all IDs`)
	}
	if !u.MapRoot {
		d.fail("users.map_root", `must be true when map is "host": nothing is mapped`)
	}
}

// checkUser wants the numbers of a user and a group to exist inside.
func (u *Users) checkUser(user string) error {
	name, group, _ := strings.Cut(user, ":")
	if !u.MapRoot && (name == "root" || name == "0") {
		return errors.New("must be another user than root, since users.map_root is false")
	}
	for _, s := range []string{name, group} {
		if id, err := parseID(s); err == nil && id >= u.Size {
			return fmt.Errorf("%d does not exist in the container, which has the IDs below %d (users.size)", id, u.Size)
		}
	}
	return nil
}
