package idpool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// lookupTimeout bounds one question to the sources of nsswitch.conf; a
// directory server that does not answer must not hang a start.
const lookupTimeout = 2 * time.Second

// names asks those sources of users and groups that can only be asked: getent
// is "" when nsswitch.conf has none of them.
type names struct{ getent string }

// readNames finds out whether any source needs asking. compat is whether
// passwd or group have lines that mean NIS.
func (p Pool) readNames(compat bool) (names, error) {
	conf, err := os.ReadFile(p.path("etc/nsswitch.conf"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return names{}, err
	}
	source := foreignSource(string(conf), compat)
	if source == "" {
		if source, err = p.foreignService(); source == "" || err != nil {
			return names{}, err
		}
	}
	for _, name := range []string{"usr/bin/getent", "bin/getent", "run/current-system/sw/bin/getent"} {
		if _, err := os.Stat(p.path(name)); err == nil {
			return names{getent: p.path(name)}, nil
		}
	}
	return names{}, fmt.Errorf("users come from %q and there is no getent to ask it; install getent (libc-bin)", source)
}

// foreignSource is the first source of users or groups of an nsswitch.conf(5)
// whose accounts are not read elsewhere in this package, or "". A database
// without a line has the source files.
//
// Why each is passed over: files and altfiles are read by readReserved; compat
// is files as long as there are no "+" lines; systemd is the drop-ins, the
// registry and IDs below 65536 (its services that could know others are
// foreignService's); mymachines is containers, which hold locks.
func foreignSource(conf string, compat bool) string {
	for line := range strings.Lines(conf) {
		line, _, _ = strings.Cut(line, "#")
		database, sources, _ := strings.Cut(strings.TrimSpace(line), ":")
		if database = strings.TrimSpace(database); database != "passwd" && database != "group" {
			continue
		}
		for _, source := range strings.Fields(withoutActions(sources)) {
			switch source {
			case "files", "altfiles", "systemd", "mymachines":
			case "compat":
				if compat {
					return source
				}
			default:
				return source
			}
		}
	}
	return ""
}

// withoutActions drops the [STATUS=ACTION …] groups of a line.
func withoutActions(sources string) string {
	for {
		before, rest, found := strings.Cut(sources, "[")
		if !found {
			return sources
		}
		_, after, _ := strings.Cut(rest, "]")
		sources = before + " " + after
	}
}

// foreignService is a userdb service (systemd's user/group record lookup)
// that is not systemd's own, or "".
func (p Pool) foreignService() (string, error) {
	dir, err := os.Open(p.path("run/systemd/userdb"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer dir.Close()
	services, err := dir.Readdirnames(-1)
	i := slices.IndexFunc(services, func(s string) bool { return !strings.HasPrefix(s, "io.systemd.") })
	if i < 0 {
		return "", err
	}
	return services[i], err
}

// lookup is the user or group that has the first or the last ID of b, as
// text, or "". A source that cannot be asked is an error.
func (n names) lookup(ctx context.Context, b Block) (string, error) {
	if n.getent == "" {
		return "", nil
	}
	for _, database := range []string{"passwd", "group"} {
		found, err := n.ask(ctx, database, b.Base, b.end()-1)
		if err != nil {
			return "", fmt.Errorf("%s %s: %w; make the sources of nsswitch.conf answer", n.getent, database, err)
		}
		if found != "" {
			return fmt.Sprintf("the %s database has %q", database, found), nil
		}
	}
	return "", nil
}

// ask is the first line that getent(1) prints for the IDs. It exits with 2
// when it found fewer than asked for.
func (n names) ask(ctx context.Context, database string, ids ...uint32) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.getent, database)
	for _, id := range ids {
		cmd.Args = append(cmd.Args, strconv.FormatUint(uint64(id), 10))
	}
	cmd.Env = []string{"LC_ALL=C"}
	cmd.WaitDelay = lookupTimeout / 10
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return "", fmt.Errorf("no answer within %v", lookupTimeout)
	}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 2) {
		return "", err
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	return string(line), nil
}
