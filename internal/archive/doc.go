// Package archive carries files, directories and symlinks from one tree to another
// as a tar stream, for berth cp: one side packs, in a process that sees the tree, and
// the other unpacks.
//
//	err := archive.Source{Root: root, Path: "/etc/nginx", Name: ".", Skipped: warn}.Pack(pipe)
//	…
//	err := archive.Target{Root: root, Path: "/srv/web", Into: "nginx", Modes: 0o755, Skipped: warn}.Unpack(pipe)
//
// Both trees may be hostile and change meanwhile, and so may the stream be. Paths are
// resolved by openat2(2) below a descriptor; but for the one that was asked for, no
// symlink is followed on either side. Files are opened so that nobody is waited for,
// and read only when they are regular ones. What is there under a name is replaced,
// never written through. Devices, FIFOs and sockets are neither packed nor made, and
// what can't be opened is left out.
//
// Limitations: a file that has several names becomes several files, holes are filled
// with zeros, and extended attributes (ACLs, file capabilities, labels) are left out. A
// file that shrinks while it is packed is an error; one that grows is cut where it
// ended. What the kernel makes up, procfs and the like, is packed only when it is asked
// for by its path.
package archive
