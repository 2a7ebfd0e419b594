package units

import (
	"strings"

	"berth/internal/unitfile"
)

const (
	anySize      = "a size such as 512M, a percentage or infinity"
	anyPlainSize = "a size such as 512M or infinity"
	anyWeight    = "a weight from 1 to 10000"
	anyTasks     = "a number of tasks, a percentage below 100% or infinity"
	anyCPUQuota  = "a percentage of one CPU such as 50% or 200%"
)

// memory describes the limits of the memory controller, which differ in what
// zero and the empty string mean.
type memory struct {
	zero  bool   // zero is a limit
	reset uint64 // what an empty string sets
}

func convertLimit(s *Setting, values []string) ([]Property, error) {
	return s.memoryLimit(values, memory{reset: Infinity})
}

func convertSwapLimit(s *Setting, values []string) ([]Property, error) {
	return s.memoryLimit(values, memory{zero: true, reset: Infinity})
}

func convertProtection(s *Setting, values []string) ([]Property, error) {
	return s.memoryLimit(values, memory{zero: true, reset: 0})
}

// memoryLimit converts a limit. The Startup variants have no property for a
// percentage.
func (s *Setting) memoryLimit(values []string, m memory) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		startup := strings.HasPrefix(s.Name, "Startup")
		switch v {
		case "":
			return NewProperty(s.Name, m.reset), nil
		case "infinity":
			return NewProperty(s.Name, Infinity), nil
		}
		if part, err := parsePermyriad(v); err == nil {
			if startup || part > 10000 || part == 0 && !m.zero {
				return Property{}, mustBe(sizeFor(startup), v)
			}
			return NewProperty(s.Name+"Scale", scale(part)), nil
		}
		size, err := unitfile.Size(v, 1024)
		if err != nil || size == Infinity || size == 0 && !m.zero {
			return Property{}, mustBe(sizeFor(startup), v)
		}
		return NewProperty(s.Name, size), nil
	})
}

func sizeFor(startup bool) string {
	if startup {
		return anyPlainSize
	}
	return anySize
}

// convertTasksMax leaves out an empty value: the manager's DefaultTasksMax
// holds where nothing is sent. The bus refuses 100%, which unit files take.
func convertTasksMax(s *Setting, values []string) ([]Property, error) {
	var props []Property
	for _, v := range values {
		p, err := tasksMax(v)
		if err != nil {
			return nil, err
		}
		props = p
	}
	return props, nil
}

func tasksMax(v string) ([]Property, error) {
	switch v {
	case "":
		return nil, nil
	case "infinity":
		return []Property{NewProperty("TasksMax", Infinity)}, nil
	}
	if part, err := parsePermyriad(v); err == nil {
		if part == 0 || part >= 10000 {
			return nil, mustBe(anyTasks, v)
		}
		return []Property{NewProperty("TasksMaxScale", scale(part))}, nil
	}
	n, err := unitfile.Unsigned(v)
	if err != nil || n == 0 || n == Infinity {
		return nil, mustBe(anyTasks, v)
	}
	return []Property{NewProperty("TasksMax", n)}, nil
}

func convertCPUQuota(s *Setting, values []string) ([]Property, error) {
	const name = "CPUQuotaPerSecUSec"
	return last(values, func(v string) (Property, error) {
		if v == "" {
			return NewProperty(name, Infinity), nil
		}
		part, err := parsePermyriad(v)
		if err != nil || part == 0 {
			return Property{}, mustBe(anyCPUQuota, v)
		}
		return NewProperty(name, part*100), nil // ten-thousandths of a second
	})
}

func convertWeight(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		n, ok := weight(v)
		if !ok {
			return Property{}, mustBe(anyWeight, v)
		}
		return NewProperty(s.Name, n), nil
	})
}

func convertCPUWeight(s *Setting, values []string) ([]Property, error) {
	return last(values, func(v string) (Property, error) {
		if v == "idle" {
			return NewProperty(s.Name, uint64(weightIdle)), nil
		}
		n, ok := weight(v)
		if !ok {
			return Property{}, mustBe(anyWeight+", or idle", v)
		}
		return NewProperty(s.Name, n), nil
	})
}

func weight(v string) (uint64, bool) {
	if v == "" {
		return weightUnset, true
	}
	n, err := unitfile.Unsigned(v)
	return n, err == nil && n >= weightMin && n <= weightMax
}
