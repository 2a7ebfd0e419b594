// Package learn finds the tightest sandbox settings under which a program still
// runs, from a recording of what it did without any.
//
//	all := learn.Merge(first, second)
//	p := learn.Derive(all, learn.Facts{SystemdVersion: 257})
//	p.WriteTo(os.Stdout) // the TOML of a profile
//
// Everything here is computed from its arguments. A Recording is what package
// launcher has seen; it is kept as JSON and can be merged with others. A Profile
// is a list of assignments, each with its reason.
//
// The rules are plain. A setting that only takes something away is turned on when
// nothing it takes away was used. A setting with a list gets what was used:
//
//   - SystemCallFilter: groups. First those without any privileged call, the one
//     that covers most of what is left first; then, for the rest, a group that is
//     used for a third or more, and names for what remains. Where that takes too
//     many names, @system-service less the groups that weren't used.
//   - CapabilityBoundingSet: what was asked for and granted, but for checks that
//     change nothing when they fail.
//   - ReadWritePaths: directories where files were made, removed or opened for
//     writing, the topmost of those below each other. Never StateDirectory= and its
//     like: they would move the data that is there.
//   - ExecPaths: the programs that were executed, and directories of libraries.
//
// Limitations. What the program didn't do while it was watched, it may not be able
// to do afterwards: record all of its work, from the start to the end, and errors
// too. Merge recordings for that. Settings that name sizes, such as LimitNOFILE=,
// aren't learned, nor is RestrictFileSystems=, which depends on the host's disks.
package learn
