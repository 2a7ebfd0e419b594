package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/test/host"
)

// peersFile holds what was seen of the peers: lines of PEER FAMILY WEAKENED TRIED
// MOUNT…, where the counts are of attempts, and the mounts those weakened.
const peersFile = "test/mountattack/peers.txt"

// peers are the other containers that are attacked, as root and with the same
// mounts; in the order of the documentation.
func peers() []struct{ name, what, script string } {
	return []struct{ name, what, script string }{
		{"nspawn", "`systemd-nspawn -U`", nspawnScript},
		{"podman", "`podman run --uidmap`", podmanScript("")},
		{"podman-all", "`podman run --uidmap --cap-add=all`", podmanScript("--cap-add=all")},
	}
}

// peerContexts: a copy of all mounts for each attempt, so that none is about what
// an earlier one has weakened.
const peerContexts = "nested-mount nested-user"

// peersSetup lays out the mounts for peers in /var/lib/peers. Those that can't
// give a bind mount flags get it from a mount that has them.
const peersSetup = `
mkdir -p /var/lib/peers/mapped; cd /var/lib/peers
cp -a /srv/root root; echo ID=small > root/etc/os-release
cp -a root mapped/root; cp -a /srv/canary mapped/canary
chown -hR 300000:300000 mapped/root mapped/canary
chmod 4755 mapped/canary/setuid mapped/canary/sub/setuid
for source in /srv/canary /var/lib/peers/mapped/canary; do
	for flag in rw nosuid nodev noexec; do
		mkdir -p flags$source/$flag
		mount --bind $source flags$source/$flag
		mount -o remount,bind,$flag flags$source/$flag
	done
done`

const peersRemoval = `cd /var/lib/peers; umount flags/srv/canary/* flags/var/lib/peers/mapped/canary/*; rm -rf flags root mapped; umount /run/store/overlay 2>/dev/null || true`

const nspawnScript = `
flags=/var/lib/peers/flags/srv/canary
systemd-nspawn --quiet -U --directory /var/lib/peers/root --read-only --as-pid2 --pipe \
	--resolv-conf=off --timezone=off --link-journal=no --register=no --keep-unit \
	--bind-ro=/srv/canary:/srv/ro:owneridmap --bind=$flags/rw:/srv/rw:owneridmap --bind=$flags/nosuid:/srv/nosuid:owneridmap \
	--bind=$flags/nodev:/srv/nodev:owneridmap --bind=$flags/noexec:/srv/noexec:owneridmap --bind=/dev/zero:/srv/node \
	/usr/bin/mountattack matrix ` + peerContexts

// podmanScript runs podman with the root of tools as its own, in the host's
// namespaces but for the mounts.
func podmanScript(options string) string {
	return `
unshare --mount sh -euc '
mount --rbind ` + toolsRoot + ` ` + toolsRoot + `; cd ` + toolsRoot + `
for dir in proc sys dev run tmp; do mount --rbind /$dir $dir; done
mkdir -p var/lib/peers; mount --rbind /var/lib/peers var/lib/peers
pivot_root . mnt; umount -l /mnt
flags=/var/lib/peers/flags/var/lib/peers/mapped/canary
podman --root /run/store --runroot /run/store-run --cgroup-manager cgroupfs run --rm --cgroups disabled --network none \
	--uidmap 0:300000:65536 --read-only ` + options + ` \
	-v /var/lib/peers/mapped/canary:/srv/ro:ro,suid,dev,exec -v $flags/rw:/srv/rw:suid,dev,exec -v $flags/nosuid:/srv/nosuid:nosuid,dev,exec \
	-v $flags/nodev:/srv/nodev:suid,nodev,exec -v $flags/noexec:/srv/noexec:suid,dev,noexec -v /dev/zero:/srv/node \
	--rootfs /var/lib/peers/mapped/root /usr/bin/mountattack matrix ` + peerContexts + `'`
}

// TestMountAttackPeers does to other containers what is done to berth's. It is no
// test of berth, and changes with them: only BERTH_PEERS=1 asks for it.
func TestMountAttackPeers(t *testing.T) {
	if os.Getenv("BERTH_PEERS") == "" {
		t.Skip("BERTH_PEERS is not set")
	}
	withBerthOnce(t, func(t *testing.T, h *host.Host) {
		attackedMounts(t, h)
		withPeers(t, h)
		var seen strings.Builder
		for _, p := range peers() {
			got := run(t, h, "timeout", "100", "sh", "-euc", p.script)
			attempts, err := parseAttempts(got.Stdout)
			if err != nil || got.Status != 0 {
				t.Fatalf("%s: status %d, %v: %s", p.name, got.Status, err, got.Stderr)
			}
			seen.WriteString(weakenings(p.name, attempts))
		}
		file := filepath.Join(moduleRoot, peersFile)
		if *updateDocument {
			if err := os.WriteFile(file, []byte(seen.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if is, err := os.ReadFile(file); err != nil || string(is) != seen.String() {
			t.Errorf("%s (%v) is not what was seen, -update writes it:\n%s", peersFile, err, &seen)
		}
	})
}

// withPeers puts on the host what peers need.
func withPeers(t *testing.T, h *host.Host) {
	t.Helper()
	tools, err := host.ToolsRoot(t.Context(), h.Suite(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := h.Shell(context.Background(), peersRemoval); err != nil { // t.Context() has ended
			t.Error(err)
		}
		for _, path := range []string{"/var/lib/peers", toolsRoot} {
			if err := os.RemoveAll(filepath.Join(h.RootDir(), path)); err != nil {
				t.Error(err)
			}
		}
	})
	shell(t, h, "mkdir -p "+filepath.Dir(toolsRoot))
	if out, err := exec.Command("cp", "-a", "--reflink=auto", tools, filepath.Join(h.RootDir(), toolsRoot)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	shell(t, h, peersSetup)
}

// family is the kind of call that an operation is about.
func family(operation string) string {
	switch name, _, _ := strings.Cut(operation, "-"); name {
	case "private", "slave", "unbindable", "shared":
		return "propagation"
	case "move_mount":
		return "move"
	default:
		return name
	}
}

// weakenings counts attempts by families of operations.
func weakenings(peer string, attempts []attempt) string {
	type count struct {
		tried, weakened int
		mounts          []string
	}
	counts := map[string]*count{}
	var families []string
	for _, a := range attempts {
		if a.control() {
			continue
		}
		f := family(a.operation)
		if counts[f] == nil {
			counts[f] = &count{}
			families = append(families, f)
		}
		counts[f].tried++
		if !strings.HasPrefix(a.effect, "WEAKENED") {
			continue
		}
		counts[f].weakened++
		if !slices.Contains(counts[f].mounts, a.mount) {
			counts[f].mounts = append(counts[f].mounts, a.mount)
		}
	}
	var b strings.Builder
	for _, f := range families {
		c := counts[f]
		fmt.Fprintln(&b, strings.Join(append([]string{peer, f, fmt.Sprint(c.weakened), fmt.Sprint(c.tried)}, c.mounts...), " "))
	}
	return b.String()
}

const peersHead = `
## Peers

The same program with the same mounts, as root in other containers of Debian 13
(systemd 257, podman 5.4), each with its defaults: how many attempts weakened a mount,
and which mounts. Each attempt has a copy of all mounts, in a mount namespace or in a
user and mount namespace. ` + "`BERTH_PEERS=1 go test ./test/integration -run TestMountAttackPeers`" + `
repeats it.

- systemd-nspawn keeps the root and bind mounts: they come from the host's user
  namespace and are locked. /proc with its masks and /proc/sys are mounted inside the
  container's own: its root removes the masks, makes /proc/sys writable, and mounts a
  procfs without masks. A user namespace further in keeps what it has got from there, and
  can't mount a procfs.
- podman gives no CAP_SYS_ADMIN: its root can neither mount nor make a mount namespace.
  In a nested user namespace it can, where the kernel locks what there is, and a procfs
  can't be mounted. With that capability its root writes to the host by read-only
  volumes, to the read-only root and to /proc/sys, executes from noexec and calls setuid
  programs on nosuid volumes, and removes every mask.
- The filters of both don't know open_tree_attr, which fails with ENOSYS.

`

// writePeers makes a table of what was seen of the peers.
func writePeers(t *testing.T, b *strings.Builder) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(moduleRoot, peersFile))
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString(peersHead)
	seen := map[string]string{} // by peer and family
	var families []string
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if !slices.Contains(families, f[1]) {
			families = append(families, f[1])
		}
		seen[f[0]+" "+f[1]] = strings.TrimSpace(fmt.Sprintf("%s of %s: %s", f[2], f[3], codeList(f[4:])))
		if len(f) == 4 {
			seen[f[0]+" "+f[1]] = "none of " + f[3]
		}
	}
	b.WriteString("| attempts | berth, profile `system` |")
	for _, p := range peers() {
		fmt.Fprintf(b, " %s |", p.what)
	}
	fmt.Fprintf(b, "\n|---|---|%s\n", strings.Repeat("---|", len(peers())))
	for _, f := range families {
		if f == "enter" {
			continue
		}
		fmt.Fprintf(b, "| %s | none |", f)
		for _, p := range peers() {
			fmt.Fprintf(b, " %s |", seen[p.name+" "+f])
		}
		fmt.Fprintln(b)
	}
}
