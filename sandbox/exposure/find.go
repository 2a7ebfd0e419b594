package exposure

import "slices"

// wants makes a check of a condition that is good.
func wants(good func(v *view) bool) func(v *view) (int, string) {
	return func(v *view) (int, string) {
		if good(v) {
			return 0, ""
		}
		return 1, ""
	}
}

// onlyRoot describes checks about what root is not bound by.
const onlyRoot = "Without meaning, since it runs as root"

func findUser(v *view) (int, string) {
	switch {
	case v.User == "nobody":
		return 9, "It runs as nobody, a user that others may run as too"
	case v.DynamicUser && !v.userIsRoot():
		return 0, "It runs as a user that is made for it"
	case v.privileged():
		return 10, "It runs as root"
	}
	return 0, "It runs as a user other than root"
}

func findGroups(v *view) (int, string) {
	if v.privileged() {
		return notApplicable, onlyRoot
	}
	return wants(func(v *view) bool { return len(v.SupplementaryGroups) == 0 })(v)
}

func findIPC(v *view) (int, string) {
	if v.privileged() {
		return notApplicable, onlyRoot
	}
	return wants(func(v *view) bool { return v.Settings.RemoveIPC })(v)
}

func findHome(v *view) (int, string) {
	switch v.Settings.ProtectHome {
	case "yes":
		return 0, "Home directories are out of reach"
	case "tmpfs":
		return 1, "Home directories are covered by an empty file system"
	case "read-only":
		return 5, "Home directories are read-only"
	}
	return 10, "Home directories are as the permissions of their files are"
}

func findSystem(v *view) (int, string) {
	switch v.Settings.ProtectSystem {
	case "strict":
		return 0, "The whole tree of files is read-only"
	case "full":
		return 3, "/usr, the boot loader and /etc are read-only"
	case "yes":
		return 5, "/usr and the boot loader are read-only"
	}
	return 10, "Files of the operating system are as their permissions are"
}

// findUMask judges the worst that may be done to new files.
func findUMask(v *view) (int, string) {
	open := ^v.Settings.UMask
	switch {
	case open&0o002 != 0:
		return 10, "Everybody may write the files that it makes"
	case open&0o004 != 0:
		return 5, "Everybody may read the files that it makes"
	case open&0o020 != 0:
		return 2, "Its group may write the files that it makes"
	case open&0o040 != 0:
		return 1, "Its group may read the files that it makes"
	}
	return 0, "The files that it makes are for its own user alone"
}

func findProc(v *view) (int, string) {
	switch v.Settings.ProtectProc {
	case "invisible", "ptraceable":
		return 0, ""
	case "noaccess":
		return 1, "Processes of other users are in /proc, with little more than their numbers"
	}
	return 3, ""
}

func findArchitectures(v *view) (int, string) {
	switch names := slices.Compact(slices.Sorted(slices.Values(v.Settings.SystemCallArchitectures))); {
	case len(names) == 0:
		return 10, "System calls of every ABI are allowed"
	case len(names) == 1 && names[0] == "native":
		return 0, "System calls of the native ABI alone are allowed"
	}
	return 8, "System calls of other ABIs than the native one are allowed"
}

func hasRoot(v *view) bool {
	has := func(path string) bool { return path != "" && path != "/" }
	return has(v.RootDirectory) || has(v.RootImage)
}

// privateMounts: since version 254, the setting is three-valued and systemd
// scores its absence as good.
func privateMounts(v *view) bool {
	return v.Settings.PrivateMounts || v.version >= 254
}
