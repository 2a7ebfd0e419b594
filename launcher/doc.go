// Package launcher composes the others into a running container.
//
// Data takes one way, and every stage is a type:
//
//	config.Container   what was written
//	Plan               what will be done: a pure function of the container,
//	                   a Host and a block of IDs; prints as JSON
//	Running            a container, whose state is systemd's and /run/berth/NAME
//
// A container's mounts are built from outside, in a mount namespace of berth's
// own (the stage), and enter the container's namespace by propagation. The
// kernel then treats them as more privileged than the container: their
// read-only, nosuid, nodev and noexec flags are locked, for the container's
// root and for any namespace it nests. See docs/how-it-works.md.
//
// Limitations: one container has one network mode of private or host; the
// supervisor's death is the container's.
package launcher
