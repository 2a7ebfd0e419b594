package integration

import (
	"path"
	"slices"
	"strings"
)

// attackRule says how attempts end: the errno of the call that fails, with
// "@CALL" where more calls were to come, or "ok". One of several with "|" between.
type attackRule struct {
	why                string
	operations, mounts string // patterns, see path.Match
	own                string // in the container's own mount namespace, also with another root
	nested             string // in a mount namespace of the container's user namespace
	user               string // in one of a nested user namespace
}

// The mounts attacked, as mountattack calls them.
const (
	all   = "*"
	root  = "root"
	views = "proc sys"               // fixed: they can't be unmounted
	masks = "mask proc-sys sys-mask" // in them
)

// attackRules are those of a container with the default of [mountguard]: the first
// that fits counts.
func attackRules() []attackRule {
	same := func(why, operations, mounts, errno string) attackRule {
		return attackRule{why, operations, mounts, errno, errno, errno}
	}
	const (
		arguments = "The kernel takes no such arguments."
		locked    = "Read-only, nosuid, nodev and noexec are locked, on the mount and on each copy."
		stricter  = "What was writable may be made read-only and back."
		alone     = "Without what is mounted in it, a copy would show what is hidden there."
		copied    = "A copy is free, and as strict."
		isolated  = "Whatever its propagation, nothing of the host's comes in and nothing goes out."
		covered   = "What is mounted on top is free."
		layer     = "An overlay is free. What is below it is not written."
		super     = "The superblock is the host's. Of a remount that says flags only, they are the mount's."
		ownSuper  = "The superblock is the container's, and a nested user namespace has no say."
		fixed     = "/, /proc, /sys and what is masked there can't be unmounted."
		unmounted = "Other mounts may be unmounted: what is below is the container's as well."
		busy      = "Something is mounted on it."
		expiring  = "Whoever looks at a mount ends its mark, and the guard has looked."
		forced    = "MNT_FORCE takes a right on the host."
		unmoved   = "In the container's own mount namespace its mounts stay where they are."
		rooted    = "The container's own mount namespace keeps its root; in others pivot_root is free."
		viewed    = "Another procfs or sysfs has the masks of the container's, for who owns the namespace that it shows."
		notMoved  = views + " " + masks + " " + root // nor made the root, by anyone
	)
	return []attackRule{
		same(arguments, "remount-with-internal remount-with-high setattr-size-31 umount-unknown overlay-upper", all, "EINVAL"),
		same(arguments, "setattr-unknown-flag reconfigure-data", all, "EINVAL|EPERM"),
		same(arguments, "setattr-size-too-large setattr-size-not-zero", all, "E2BIG"),
		same(arguments, "setattr-unreadable", all, "EFAULT"),

		same(isolated, "shared shared-rec private slave unbindable setattr-shared setattr-private", all, "ok"),
		same(stricter, "remount-ro-rw", all, "ok"),
		same(locked, "remount-* reconfigure reconfigure-move setattr setattr-*", all, "EPERM"),

		same(copied, "bind-rec clone-rec", all, "ok"),
		same(alone, "bind", views+" "+root, "EINVAL"),
		same(alone, "bind-remount", views+" "+root, "EINVAL@bind"),
		same(alone, "clone clone-setattr", views+" "+root, "EINVAL@open_tree"),
		same(alone, "open_tree_attr-clone", views+" "+root, "EINVAL|EPERM"),
		{alone, "bind", "dev", "ok", "ok", "EINVAL"},
		{alone, "bind-remount", "dev", "EPERM", "EPERM", "EINVAL@bind"},
		{alone, "clone", "dev", "ok", "ok", "EINVAL@open_tree"},
		{alone, "clone-setattr", "dev", "EPERM", "EPERM", "EINVAL@open_tree"},
		{alone, "open_tree_attr-clone", "dev", "EPERM", "EPERM", "EINVAL|EPERM"},
		same(copied, "bind clone", all, "ok"),
		same(locked, "bind-* clone-* open_tree_attr*", all, "EPERM"),
		same(covered, "cover", all, "ok"),
		same(layer, "overlay", all, "ok"),

		{ownSuper, "reconfigure-same", "proc proc-sys", "ok", "ok", "EPERM"},
		{ownSuper, "reconfigure-ro-rw", "proc", "ok", "ok", "EPERM@ro"},
		{ownSuper, "fspick", "proc proc-sys", "ok", "ok", "EPERM"},
		{super, "reconfigure-same", all, "ok", "EPERM", "EPERM"},
		{super, "reconfigure-ro-rw", all, "ok", "EPERM@ro", "EPERM@ro"},
		same(super, "fspick", all, "EPERM|EPERM@fspick"),

		same(fixed, "umount umount-*", masks, "EBUSY"),
		{fixed, "umount umount-*", views + " " + root, "EBUSY", "EINVAL", "EINVAL"},
		{forced, "umount-force umount-lazy-force", all, "EPERM", "EPERM", "EINVAL"},
		{busy, "umount umount-nofollow umount-expire umount-old", "dev", "EBUSY", "EBUSY", "EINVAL"},
		{expiring, "umount-expire", all, "EAGAIN", "EAGAIN", "EINVAL"},
		{unmounted, "umount umount-nofollow umount-old umount-lazy umount-high", all, "ok", "ok", "EINVAL"},

		{unmoved, "move move-rec move_mount move_mount-tree", notMoved, "EPERM", "EINVAL", "EINVAL"},
		{unmoved, "move move-rec move_mount move_mount-tree", all, "EPERM", "ok", "EINVAL"},

		{rooted, "pivot-onto", notMoved, "EPERM", "EINVAL", "EINVAL"},
		{rooted, "pivot-onto", all, "EPERM", "ok", "EINVAL"},
		{rooted, "pivot-onto-remount", notMoved, "EPERM@pivot_root", "EINVAL@pivot_root", "EINVAL@pivot_root"},
		{rooted, "pivot-onto-remount", all, "EPERM@pivot_root", "EPERM", "EINVAL@pivot_root"},
		{rooted, "pivot-old", all, "EPERM@pivot_root", "ok", "ok"},
		{rooted, "pivot-umount", masks, "EPERM@pivot_root", "EBUSY", "EBUSY"},
		{rooted, "pivot-umount", views, "EPERM@pivot_root", "EINVAL", "EINVAL"},
		{rooted, "pivot-umount", root, "EPERM@pivot_root", "ok", "ok"},
		{rooted, "pivot-umount", all, "EPERM@pivot_root", "ok", "EINVAL"},
		{rooted, "pivot-old-remount pivot-remount", all, "EPERM@pivot_root", "EPERM", "EPERM"},

		{viewed, "new new-plain", all, "ok", "ok", "EPERM"},
		{viewed, "new-fsmount", all, "ok", "ok", "EPERM@fsopen"},
		{viewed, "new-unmask", all, "EINVAL|EBUSY", "EINVAL|EBUSY", "EPERM@mount"},
	}
}

func (r attackRule) fits(operation, mount string) bool {
	return oneMatches(r.operations, operation) && oneMatches(r.mounts, mount)
}

// ruleFor returns the index of the first that fits; -1 if none does.
func ruleFor(rules []attackRule, operation, mount string) int {
	return slices.IndexFunc(rules, func(r attackRule) bool { return r.fits(operation, mount) })
}

func oneMatches(patterns, name string) bool {
	return slices.ContainsFunc(strings.Fields(patterns), func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	})
}

// errno returns how a rule wants attempts to end in a context.
func (r attackRule) errno(context string) string {
	switch {
	case context == "nested-user-pid" && strings.HasPrefix(r.operations, "new"):
		return r.nested // it has namespaces of its own to show
	case strings.HasPrefix(context, "nested-user"):
		return r.user
	case strings.HasPrefix(context, "nested-"):
		return r.nested
	}
	return r.own
}

// keptRules are those with immutable_unmounts = "deny": attackRules with others
// before them.
func keptRules() []attackRule {
	const (
		kept = "No initial mount can be unmounted or moved, nor its copies while they are in place."
		free = "ro rw nosuid nodev noexec node tmp dev"
	)
	return append([]attackRule{
		{kept, "umount umount-lazy umount-force umount-lazy-force umount-nofollow umount-expire umount-high umount-old", free, "EPERM", "EINVAL", "EINVAL"},
		{kept, "pivot-umount", free, "EPERM@pivot_root", "EINVAL", "EINVAL"},
		{kept, "move move-rec move_mount move_mount-tree", free, "EPERM", "EINVAL", "EINVAL"},
		{kept, "pivot-onto", free, "EPERM", "EINVAL", "EINVAL"},
		{kept, "pivot-onto-remount", free, "EPERM@pivot_root", "EINVAL@pivot_root", "EINVAL@pivot_root"},
		{kept, "bind open_tree_attr-clone", "dev", "EINVAL|EPERM", "EINVAL|EPERM", "EINVAL|EPERM"},
		{kept, "bind-remount", "dev", "EINVAL@bind", "EINVAL@bind", "EINVAL@bind"},
		{kept, "clone clone-setattr", "dev", "EINVAL@open_tree", "EINVAL@open_tree", "EINVAL@open_tree"},
	}, attackRules()...)
}

// firstCall names the call that operations begin with, where it is not the only one.
func firstCall(operation string) string {
	switch operation {
	case "bind-remount":
		return "@bind"
	case "clone-setattr":
		return "@open_tree"
	case "fspick":
		return "@fspick"
	}
	return ""
}

// formErrno is the errno of an attempt with the path written in another form, where
// errno is the one with the plain path.
func formErrno(a attempt, errno string) string {
	switch a.form {
	case "unreadable", "nothing", "over-page-end":
		return "EFAULT" + firstCall(a.operation)
	case "no-descriptor":
		return "EBADF" + firstCall(a.operation)
	case "too-long":
		if a.operation == "bind-remount" || a.operation == "move" {
			return "EINVAL" + firstCall(a.operation) // mount(2) says so of a source
		}
		return "ENAMETOOLONG" + firstCall(a.operation)
	case "symlink", "magic-link":
		if a.operation == "move_mount" {
			return "EINVAL" // it doesn't follow a link unless told to
		}
	}
	return errno
}

// wrong says what is wrong with how an attempt ended, or "".
func wrong(rules []attackRule, a attempt) string {
	if a.control() {
		if a.errno != "ok" {
			return "the program does not see what it looks for"
		}
		return ""
	}
	i := ruleFor(rules, a.operation, a.mount)
	if i < 0 {
		return "no rule"
	}
	if want := formErrno(a, rules[i].errno(a.context)); !slices.Contains(strings.Split(want, "|"), a.errno) {
		return "want " + want
	}
	if want := effects(a); !slices.Contains(want, a.effect) {
		return "want " + strings.Join(want, " or ")
	}
	return ""
}

// effects are those that an attempt may have.
func effects(a attempt) []string {
	if a.errno != "ok" {
		return []string{"same", "copy"} // a copy that could not be changed
	}
	switch operation, _, _ := strings.Cut(a.operation, "-"); {
	case operation == "umount", a.operation == "pivot-umount":
		return []string{"gone"}
	case operation == "move", operation == "move_mount":
		return []string{"moved"}
	case operation == "bind", operation == "clone":
		return []string{"copy"}
	case operation == "new": // another sysfs is the same file system
		return []string{"same", "copy"}
	case operation == "overlay":
		return []string{"same", "layer:setuid", "layer:exec"}
	}
	return []string{"same"}
}
