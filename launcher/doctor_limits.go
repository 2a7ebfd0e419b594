package launcher

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"berth/idpool"
	"berth/internal/kernel"

	"github.com/moby/sys/user"
)

// cgroups looks at the unified hierarchy.
func (d *doctor) cgroups() {
	d.subject = "cgroups"
	data, err := os.ReadFile(kernel.CgroupRoot + "/cgroup.controllers")
	if err != nil {
		d.row("unified hierarchy", VerdictNo, "no container can be made: boot with systemd.unified_cgroup_hierarchy=1 (%v)", err)
		return
	}
	d.row("unified hierarchy", VerdictYes, "at %s", kernel.CgroupRoot)
	d.unified = true
	d.host.Controllers = strings.Fields(string(data))
	d.controllers()
	d.has("cgroup.kill", hasCgroupFile("cgroup.kill"), "Linux 5.14 has it; systemd kills one process after the other without")
	d.delegation()
	_, err = os.ReadFile("/proc/pressure/memory")
	d.tried("pressure", err, "systemd-oomd and *PressureWatch= have nothing to go by: boot with psi=1")
}

func (d *doctor) controllers() {
	for _, name := range []string{"cpu", "cpuset", "io", "memory", "pids"} {
		if slices.Contains(d.host.Controllers, name) {
			d.row(name+" controller", VerdictYes, "")
			continue
		}
		why := "this kernel does not have it, or it is not handed on to this hierarchy"
		if d.inVersion1(name) {
			why = "a hierarchy of cgroup version 1 holds it: boot with cgroup_no_v1=all"
		}
		d.row(name+" controller", VerdictNo, "%s", why)
	}
}

// inVersion1 asks /proc/cgroups, whose second column is the number of the
// hierarchy, 0 for the unified one or none. See cgroups(7).
func (d *doctor) inVersion1(controller string) bool {
	if controller == "io" {
		controller = "blkio"
	}
	data, err := os.ReadFile("/proc/cgroups")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == controller {
			return fields[1] != "0"
		}
	}
	return false
}

// hasCgroupFile looks in this process' cgroup and in one that systemd always
// makes: the root has fewer files.
func hasCgroupFile(name string) bool {
	cgroups := []string{"/init.scope"}
	if own, err := kernel.CgroupOf(os.Getpid()); err == nil {
		cgroups = append(cgroups, own)
	}
	return slices.ContainsFunc(cgroups, func(cgroup string) bool {
		_, err := os.Stat(filepath.Join(kernel.CgroupRoot, cgroup, name))
		return err == nil
	})
}

// delegation: without nsdelegate the root of a cgroup namespace is no boundary
// that the kernel keeps. See cgroups(7), "Cgroups delegation: mount options".
func (d *doctor) delegation() {
	m := holding(d.mountList, kernel.CgroupRoot)
	if slices.Contains(m.Options, "nsdelegate") {
		d.row("nsdelegate", VerdictYes, "")
		return
	}
	d.row("nsdelegate", VerdictLimited, "file permissions alone keep a container in its cgroup: mount -o remount,nsdelegate %s", kernel.CgroupRoot)
}

// ids looks at what user namespaces and their IDs are limited by.
func (d *doctor) ids() {
	d.subject = "IDs"
	d.namespaceLimit()
	d.subordinate()
	d.pool()
}

func (d *doctor) namespaceLimit() {
	const file = "/proc/sys/user/max_user_namespaces"
	limit, err := strconv.Atoi(readLine(file))
	switch {
	case err != nil:
		d.row("user.max_user_namespaces", VerdictUnknown, "cannot read %s: %v", file, err)
	case limit == 0:
		d.row("user.max_user_namespaces", VerdictNo, "0: no container can be made; sysctl user.max_user_namespaces=15000 allows it")
	case limit < 100:
		d.row("user.max_user_namespaces", VerdictLimited, "%d: each container takes one or more", limit)
	default:
		d.row("user.max_user_namespaces", VerdictYes, "%d", limit)
	}
}

// The IDs set aside for containers, the first and the last, and how many each
// may take. See systemd's UIDS-GIDS.
const (
	firstID, lastID = 524288, 1879048191
	largestBlock    = 65536
)

// subordinate looks for ranges of /etc/subuid and /etc/subgid in the pool: no
// container gets a block that has one of their IDs.
func (d *doctor) subordinate() {
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		ranges, err := user.ParseSubIDFileFilter(file, overlapsPool)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			d.row(file, VerdictYes, "not there")
		case err != nil:
			d.row(file, VerdictNo, "no container can be made: %v", err)
		case len(ranges) > 0:
			d.row(file, VerdictLimited, "%d ranges lie among the IDs for containers, the first %s's from %d: their blocks are left out",
				len(ranges), ranges[0].Name, ranges[0].SubID)
		default:
			d.row(file, VerdictYes, "no range among the IDs for containers")
		}
	}
}

func overlapsPool(r user.SubID) bool {
	return r.SubID <= lastID && r.SubID+r.Count > firstID && r.Count > 0
}

// pool takes a block and gives it back.
func (d *doctor) pool() {
	pool := idpool.Default()
	held, err := pool.List()
	if err != nil {
		d.tried("blocks", err, "no container can be made")
		return
	}
	if d.root {
		lease, err := pool.Acquire(d.ctx, idpool.Request{Name: "berth-doctor", Size: largestBlock})
		if err != nil {
			d.row("blocks", VerdictNo, "%v", err)
			return
		}
		lease.Close()
	}
	used := map[uint32]bool{}
	for _, h := range held {
		for base := h.Block.Base / largestBlock; base <= (h.Block.Base+h.Block.Size-1)/largestBlock; base++ {
			used[base] = true
		}
	}
	const all = (lastID + 1 - firstID) / largestBlock
	d.row("blocks", VerdictYes, "%d blocks of %d IDs are in use, %d are not; berth pool lists them", len(used), largestBlock, all-len(used))
}
