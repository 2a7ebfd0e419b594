// Package config turns a TOML file into a Container: decoded strictly, with
// defaults filled in and every value checked.
//
//	c, err := config.Load("/etc/berth/web.toml", config.Overrides{})
//	if err != nil {
//		return err // prints one line FILE:LINE:COLUMN: key: what is wrong per error
//	}
//	fmt.Println(c.Name, c.Process.Command, c.Pos("process.command"))
//
// # Format
//
// The file is TOML 1.0 in UTF-8, at most 1 MiB. One rule tells where a key
// comes from: a CamelCase key is systemd's own setting, with the name, syntax
// and meaning of its man page; a lower_case key is berth's.
//
//	name        = "web"     # default: the file's name without .toml
//	description = "nginx serving /srv/www"
//	profile     = "default"  # or a path; default: default, with process.boot system
//
//	[root]                  # absent: the host's own tree, never written
//	directory = "/var/lib/machines/web"
//	volatile  = "no"        # no, overlay, state, yes; default: overlay for the host's tree, else no
//	read_only = false
//
//	[process]
//	command     = ["/usr/sbin/nginx", "-g", "daemon off;"]
//	environment = { LANG = "C.UTF-8" }
//	user        = "www-data"          # name or uid, and :group or :gid; default root
//	working_directory = "/"
//	hostname    = "web"               # default: name
//	terminal    = false               # default: whether berth has one
//	boot        = false               # true: the root's init is PID 1, command its arguments
//	stop_signal = "SIGTERM"           # boot: SIGRTMIN+3
//
//	[users]
//	map      = "auto"                 # or the first ID of a block, a number, or host
//	size     = 65536                  # a power of two from 256
//	map_root = true                   # false: uid 0 does not exist inside
//
//	[[mounts]]
//	type      = "bind"                # bind, tmpfs, overlay
//	source    = "/srv/www"            # overlay: the lower directories, uppermost first
//	target    = "/srv/www"
//	read_only = true
//	idmap     = "owner"               # owner, identity, no
//	options   = ["noexec"]            # nosuid and nodev come by themselves
//
//	[resources]                       # systemd.resource-control(5)
//	MemoryMax = "256M"
//
//	[sandbox]                         # systemd.exec(5)
//	ProtectHome = true
//
//	[mountguard]
//	enabled = true                    # default: unless users.map is "host"
//	immutable_remounts = "deny"       # deny, allow
//	immutable_unmounts = "allow"      # allow, deny
//
//	[network]
//	mode = "private"                  # private, host
//
// An overlay also has upper and work, both or neither; neither puts the
// changes on a tmpfs.
//
// A profile is a file of its own: description, extends (the profile it builds
// on), [sandbox] and [resources]. LoadProfile reads it.
//
// # Errors
//
// An unknown key, a wrong type or an impossible value is an Error with its
// position. All errors of a file are reported together, sorted by position, as
// Errors; only where the file is no TOML at all is it the first one. Settings
// in [resources] and [sandbox] are checked for their form here, for their names
// and meaning by the packages that know systemd's: what these find is appended
// to the errors, which is why Load returns a Container even beside Errors. An
// integer in [sandbox] that is written in octal or hexadecimal stays so: systemd
// reads modes as octal.
//
// # Overrides
//
// The command line may replace values of the file: -p KEY=VALUE with a dotted
// key, as process.user=root, or a setting of systemd alone, as MemoryMax=1G, of
// which Overrides.Table knows the table. A replaced table or array is replaced as
// a whole. What stands in it is checked like the file's, with the option as its
// position.
//
// # Limitations
//
// Nothing here looks at the host: whether a directory exists or a user is
// known is found out at the start, and so is what a profile says and whether it
// allows users.map = "host". Keys of the format that this version of berth does
// not implement yet (root.image, root.oci, [service], other networks) are
// refused, never ignored.
package config
