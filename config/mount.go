package config

import "strings"

// mountSource takes what to mount: a path for bind, one or more for overlay,
// nothing for tmpfs.
func mountSource(m *Mount) decoder {
	return func(n node) {
		switch m.Type {
		case "bind":
			text(&m.Source, checkPath)(n)
		case "overlay":
			lowerDirectories(&m.Lower)(n)
		case "tmpfs":
			n.fail("a tmpfs has none")
		}
	}
}

// lowerDirectories takes "/upper:/lower" or an array of paths, uppermost
// first. A path with a colon can't be named: the kernel splits at it as well.
func lowerDirectories(target *[]string) decoder {
	return func(n node) {
		if s, ok := n.value.(string); ok {
			lower := strings.Split(s, ":")
			for _, path := range lower {
				if !n.accept(path, []check{checkPath}) {
					return
				}
			}
			*target = lower
			return
		}
		elements, ok := n.elements()
		switch {
		case !ok:
			n.mismatch("a string or an array of strings")
		case len(elements) == 0:
			n.fail("must not be empty")
		default:
			texts(target, checkPath, checkLower)(n)
		}
	}
}

// onlyOverlay refuses a key of overlay for the other types.
func onlyOverlay(m *Mount, next decoder) decoder {
	return func(n node) {
		if m.Type != "" && m.Type != "overlay" {
			n.fail("only an overlay has one")
			return
		}
		next(n)
	}
}

func mountIDMap(m *Mount) decoder {
	return func(n node) {
		if m.Type == "tmpfs" {
			n.fail("a tmpfs has none: it belongs to the container's root")
			return
		}
		choice(&m.IDMap, "owner", "identity", "no")(n)
	}
}

// completeMounts fills in what the file leaves out, and checks what concerns
// several keys.
func completeMounts(d *document, mounts []Mount) {
	targets := make(map[string]string, len(mounts))
	for i := range mounts {
		m, key := &mounts[i], element("mounts", i)
		if d.failed(key) {
			continue
		}
		m.checkRequired(d, key)
		if m.IDMap == "" && m.Type != "tmpfs" {
			m.IDMap = "owner"
		}
		m.Options = safeDefaults(m.Options)
		if m.Target == "" {
			continue
		}
		if other, taken := targets[m.Target]; taken {
			d.fail(key+".target", "%s is a target already, at %s", quote(m.Target), d.pos(other))
		} else {
			targets[m.Target] = key + ".target"
		}
	}
}

// checkRequired wants the keys without which the type makes no sense.
func (m *Mount) checkRequired(d *document, key string) {
	need := func(name, msg string) {
		if !d.given[key+"."+name] {
			d.fail(key+"."+name, "%s", msg)
		}
	}
	need("type", "is required: bind, tmpfs or overlay")
	need("target", "is required")
	switch m.Type {
	case "bind":
		need("source", "is required for bind")
	case "overlay":
		need("source", "is required for overlay: the lower directories")
		if m.Upper != "" && m.Upper == m.Work {
			d.fail(key+".work", "must be another directory than upper")
		}
		if d.given[key+".upper"] {
			need("work", "is required with upper: an empty directory on the same file system")
		}
		if d.given[key+".work"] {
			need("upper", "is required with work")
		}
	}
}
