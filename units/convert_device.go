package units

import (
	"strings"

	"berth/internal/unitfile"
)

const (
	anyDevice      = "a path below /dev, or block-… or char-… for a class of devices, and then r, w and m"
	anyDeviceValue = "a device or a path on it, and then "
)

func convertDeviceAllow(s *Setting, values []string) ([]Property, error) {
	return list(s.Name, values, func(v string) ([]devicePermission, error) {
		device, permissions, err := firstWord(v)
		if err != nil {
			return nil, err
		}
		if err := noSpecifier(device); err != nil {
			return nil, err
		}
		path, ok := device, true
		if !strings.HasPrefix(device, "block-") && !strings.HasPrefix(device, "char-") {
			path, ok = cleanPath(device)
			ok = ok && validDevice(path)
		}
		if !ok || strings.ContainsAny(path, unitfile.Blanks) || strings.Trim(permissions, "rwm") != "" {
			return nil, mustBe(anyDevice, v)
		}
		return []devicePermission{{path, permissions}}, nil
	})
}

// validDevice reports whether path can be a device node as far as its name
// tells. systemd keeps nodes for masking in the second place.
func validDevice(path string) bool {
	return strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/run/systemd/inaccessible/")
}

func convertDeviceWeight(s *Setting, values []string) ([]Property, error) {
	return list(s.Name, values, func(v string) ([]deviceValue, error) {
		return perDevice(v, anyWeight, func(text string) (uint64, bool) {
			n, ok := weight(text)
			return n, ok
		})
	})
}

// convertDeviceLimit reads bytes or operations a second, with suffixes that
// are multiples of 1000.
func convertDeviceLimit(s *Setting, values []string) ([]Property, error) {
	return list(s.Name, values, func(v string) ([]deviceValue, error) {
		return perDevice(v, "a number such as 10M, or infinity", func(text string) (uint64, bool) {
			if text == "infinity" {
				return Infinity, true
			}
			n, err := unitfile.Size(text, 1000)
			return n, err == nil && n > 0
		})
	})
}

func convertDeviceLatency(s *Setting, values []string) ([]Property, error) {
	return list(s.usecName(), values, func(v string) ([]deviceValue, error) {
		return perDevice(v, "a time span such as 25ms", func(text string) (uint64, bool) {
			n, err := unitfile.Microseconds(text, second)
			return n, err == nil
		})
	})
}

// perDevice reads a path and the value for the device that is or holds it.
func perDevice(v, accepted string, parse func(text string) (uint64, bool)) ([]deviceValue, error) {
	device, text, err := firstWord(v)
	if err != nil {
		return nil, err
	}
	if err := noSpecifier(device); err != nil {
		return nil, err
	}
	path, ok := cleanPath(device)
	if !ok || text == "" {
		return nil, mustBe(anyDeviceValue+accepted, v)
	}
	n, ok := parse(text)
	if !ok {
		return nil, mustBe(anyDeviceValue+accepted, v)
	}
	return []deviceValue{{path, n}}, nil
}

func convertPaths(s *Setting, values []string) ([]Property, error) {
	return list(s.Name, values, func(v string) ([]string, error) {
		path, err := programPath(v)
		return []string{path}, err
	})
}

func convertBPFPrograms(s *Setting, values []string) ([]Property, error) {
	return list(s.Name, values, func(v string) ([]bpfProgram, error) {
		attach, rest, _ := strings.Cut(v, ":")
		if !has(strings.Join(s.choices, " "), attach) {
			return nil, mustBe("ATTACH:PATH with an attach type of "+oneOf(s.choices), v)
		}
		path, err := programPath(rest)
		return []bpfProgram{{attach, path}}, err
	})
}

func programPath(v string) (string, error) {
	if err := noSpecifier(v); err != nil {
		return "", err
	}
	path, ok := cleanPath(v)
	if !ok {
		return "", mustBe("an absolute path without ..", v)
	}
	return path, nil
}
