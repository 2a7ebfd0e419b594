// Package idpool gives each container a block of user and group IDs that
// nobody else on the host has.
//
//	lease, err := idpool.Default().Acquire(ctx, idpool.Request{Name: "web", Size: 65536})
//	if err != nil {
//		return err
//	}
//	defer lease.Close()
//	block := lease.Block() // maps 0…65535 inside to block.Base… outside
//
// There is no daemon and no database. A block is held by an open file
// description lock on a file in systemd-nspawn's own directory,
// /run/systemd/nspawn-uid, so nspawn and berth never take each other's block,
// and the kernel frees a block when the last descriptor is gone, however its
// holder dies. A file there without a lock means nothing.
//
// # Layout
//
// The IDs from 524288 to 1879048191 are what systemd reserves for containers
// (its UIDS-GIDS document). They are cut in chunks of 65536, and the chunk
// starting at BASE has the lock file BASE. Byte N of that file stands for the
// ID BASE+N: a block locks exactly its own bytes. nspawn locks the whole file
// and so conflicts with every block inside it; blocks below 65536 share a
// chunk; larger ones lock several files. The holder writes who it is at the
// first of its bytes, for [Pool.List].
//
// # Which block
//
// A hash of the container's name gives the first candidate, so a container
// gets the same block again while it is free, and then a sequence that visits
// every candidate once. Small blocks gather in few chunks. See candidates.go;
// changing those sequences moves containers to other blocks.
//
// A candidate is passed over when it overlaps a line of /etc/subuid or
// /etc/subgid, contains a user or group of /etc/passwd, /etc/group or a userdb
// drop-in, is registered with systemd-nsresourced, or when either of its ends
// is known to another source of /etc/nsswitch.conf, such as sss or ldap.
//
// # Limitations
//
//   - A range that somebody chose by hand (systemd-nspawn --private-users=N, an
//     lxc idmap) takes no lock and is seen only if /etc/subuid lists it.
//   - systemd-nsresourced (256 and later) does not look at the lock files, of
//     berth or of nspawn. It does ask the user database for the base ID, where
//     systemd-machined answers for containers registered with it.
//   - Subordinate ranges kept by a "subid:" source of nsswitch.conf cannot be
//     listed by ID and are not seen.
//   - sss and ldap are asked about the two ends of a block only, and getent
//     reports a directory server that is down as "not found".
package idpool
