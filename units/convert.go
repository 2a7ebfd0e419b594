package units

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"berth/internal/unitfile"
)

// mustBe is the error for a value that isn't what is accepted.
func mustBe(accepted, value string) error {
	return fmt.Errorf("must be %s, not %q", accepted, value)
}

// last converts values of which each replaces the one before. All must be
// valid.
func last(values []string, parse func(value string) (Property, error)) ([]Property, error) {
	var p Property
	for _, v := range values {
		var err error
		if p, err = parse(v); err != nil {
			return nil, err
		}
	}
	return []Property{p}, nil
}

// list converts values of which each adds to a list; an empty one forgets those
// before, on the bus as well.
func list[T any](name string, values []string, parse func(value string) ([]T, error)) ([]Property, error) {
	var props []Property
	var items []T
	for _, v := range values {
		if v == "" {
			props, items = []Property{NewProperty(name, []T{})}, nil
			continue
		}
		more, err := parse(v)
		if err != nil {
			return nil, err
		}
		items = append(items, more...)
	}
	if len(items) > 0 {
		props = append(props, NewProperty(name, items))
	}
	return props, nil
}

func convertBoolean(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		b, err := unitfile.Boolean(v)
		return NewProperty(s.Name, b), err
	})
}

func convertChoice(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		if !slices.Contains(s.choices, v) {
			return Property{}, mustBe(oneOf(s.choices), v)
		}
		return NewProperty(s.Name, v), nil
	})
}

// convertChoiceOrReset is for an enumeration that the bus knows as not set.
func convertChoiceOrReset(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		if v != "" && !slices.Contains(s.choices, v) {
			return Property{}, mustBe(oneOf(s.choices), v)
		}
		return NewProperty(s.Name, v), nil
	})
}

// convertChoiceOrFirst is for an enumeration whose first word is the default.
func convertChoiceOrFirst(s *Setting, values []string) ([]Property, error) {
	defaulted := slices.Clone(values)
	for i, v := range defaulted {
		if v == "" {
			defaulted[i] = s.choices[0]
		}
	}
	return convertChoice(s, defaulted)
}

func oneOf(words []string) string {
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " or " + words[n]
}

// convertPressureWatch is for yes, no, auto and skip, where yes and no are any
// boolean.
func convertPressureWatch(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		if v == "auto" || v == "skip" {
			return NewProperty(s.Name, v), nil
		}
		on, err := unitfile.Boolean(v)
		if err != nil {
			return Property{}, mustBe("yes, no, auto or skip", v)
		}
		if on {
			return NewProperty(s.Name, "yes"), nil
		}
		return NewProperty(s.Name, "no"), nil
	})
}

const anyTimespan = "a time span such as 90, 5min 20s or infinity"

// usecName is the bus' name of a time span: RuntimeMaxSec is RuntimeMaxUSec.
func (s *Setting) usecName() string { return strings.TrimSuffix(s.Name, "Sec") + "USec" }

func (s *Setting) timespan(v string) (Property, error) {
	usec, err := unitfile.Microseconds(v, second)
	if err != nil {
		return Property{}, mustBe(anyTimespan, v)
	}
	return NewProperty(s.usecName(), usec), nil
}

func convertTimespan(s *Setting, values []string) ([]Property, error) {
	return last(values, s.timespan)
}

func convertTimespanOrReset(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		if v == "" {
			return NewProperty(s.usecName(), Infinity), nil
		}
		return s.timespan(v)
	})
}

func convertPressureDuration(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		if v == "" {
			return NewProperty(s.usecName(), Infinity), nil // the default of oomd.conf(5)
		}
		usec, err := unitfile.Microseconds(v, second)
		if err != nil || usec < 1e6 || usec == Infinity {
			return Property{}, mustBe("a time span of 1s or more", v)
		}
		return NewProperty(s.usecName(), usec), nil
	})
}

func convertPressureLimit(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		if v == "" {
			return NewProperty(s.Name, uint32(0)), nil
		}
		part, err := parsePermyriad(v)
		if err != nil || part > 10000 {
			return Property{}, mustBe("a percentage from 0% to 100%", v)
		}
		return NewProperty(s.Name, scale(part)), nil
	})
}

func convertSignal(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		sig, err := ParseSignal(v)
		return NewProperty(s.Name, int32(sig)), err
	})
}

// convertSlice accepts the name of a slice, never an empty one: a scope is
// always in one.
func convertSlice(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		if !validSlice(v) {
			return Property{}, mustBe("the name of a slice such as machine.slice", v)
		}
		return NewProperty(s.Name, v), nil
	})
}

func convertDelegate(s *Setting, values []string) ([]Property, error) {
	var props []Property
	for _, v := range values {
		if on, err := unitfile.Boolean(v); err == nil {
			props = append(props, NewProperty("Delegate", on))
			continue
		}
		names, err := controllers(v)
		if err != nil {
			return nil, fmt.Errorf("must be a boolean or controllers such as cpu and memory: %w", err)
		}
		props = append(props, NewProperty("DelegateControllers", names))
	}
	return props, nil
}

func convertControllers(s *Setting, values []string) ([]Property, error) {
	return list(s.Name, values, controllers)
}

// controllers splits v into names of cgroup controllers. Those with bpf- in
// front are systemd's own.
func controllers(v string) ([]string, error) {
	const known = `cpu cpuacct cpuset io blkio memory devices pids bpf-firewall bpf-devices bpf-foreign
		bpf-socket-bind bpf-restrict-network-interfaces bpf-bind-network-interface`
	names, err := words(v)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !has(known, name) {
			return nil, fmt.Errorf("%q is not a controller: there are cpu, cpuset, io, memory, pids and systemd's own bpf-…", name)
		}
	}
	return names, nil
}

func convertSubgroup(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		if v != "" && !validCgroupName(v) {
			return Property{}, mustBe("one name of a cgroup, without / and not that of a kernel file", v)
		}
		return NewProperty(s.Name, v), nil
	})
}

func convertOOMRules(s *Setting, values []string) ([]Property, error) {
	return list(s.Name, values, func(v string) ([]string, error) {
		names, err := words(v)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if !validFileName(name) {
				return nil, mustBe("names of rules", name)
			}
		}
		return names, nil
	})
}

// errSpecifier is for what a unit file would expand and the bus wouldn't.
var errSpecifier = errors.New("has a specifier such as %i: they are not expanded, write what is meant")

// noSpecifier refuses a % where unit files expand specifiers.
func noSpecifier(v string) error {
	if strings.Contains(v, "%") {
		return errSpecifier
	}
	return nil
}

const (
	weightMin, weightMax = 1, 10000
	weightIdle           = 0              // of CPUWeight
	weightUnset          = math.MaxUint64 // the kernel's default
)
