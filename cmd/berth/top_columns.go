package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"berth/launcher"
)

// column is one of berth top.
type column struct {
	title string
	width int // in the live view: to the left where it is negative. Names have what is left over
	rank  int // the live view leaves out the highest ones first, where it is narrow
	text  func(u *launcher.Usage, now time.Time) string
	warn  func(u *launcher.Usage) bool // nil: never
}

func topColumns() []column {
	return []column{
		{"NAME", 0, 0, func(u *launcher.Usage, _ time.Time) string { return printable(u.Name) }, nil},
		{"STATE", -12, 4, func(u *launcher.Usage, _ time.Time) string { return printable(u.State) }, func(u *launcher.Usage) bool { return u.State != "running" }},
		{"UPTIME", 7, 11, func(u *launcher.Usage, now time.Time) string { return age(u.Started, now) }, nil},
		{"CPU%", 6, 1, func(u *launcher.Usage, _ time.Time) string { return percent(u.CPU) }, nil},
		{"MEMORY", 6, 2, func(u *launcher.Usage, _ time.Time) string { return counted(u.Memory, formatBytes) }, nil},
		{"TASKS", 5, 3, func(u *launcher.Usage, _ time.Time) string { return counted(u.Tasks, decimal) }, nil},
		{"READ/S", 7, 5, func(u *launcher.Usage, _ time.Time) string { return byteRate(u.Read) }, nil},
		{"WRITE/S", 7, 6, func(u *launcher.Usage, _ time.Time) string { return byteRate(u.Written) }, nil},
		{"PSI-CPU", 7, 8, func(u *launcher.Usage, _ time.Time) string { return percent(u.Pressure.CPU) }, func(u *launcher.Usage) bool { return isHigh(u.Pressure.CPU) }},
		{"PSI-MEM", 7, 9, func(u *launcher.Usage, _ time.Time) string { return percent(u.Pressure.Memory) }, func(u *launcher.Usage) bool { return isHigh(u.Pressure.Memory) }},
		{"PSI-IO", 7, 10, func(u *launcher.Usage, _ time.Time) string { return percent(u.Pressure.IO) }, func(u *launcher.Usage) bool { return isHigh(u.Pressure.IO) }},
		{"REFUSED", 7, 7, func(u *launcher.Usage, _ time.Time) string { return counted(u.Refused, decimal) }, func(u *launcher.Usage) bool { return u.Refused != nil && *u.Refused > 0 }},
	}
}

func (c *column) cell(u *launcher.Usage, now time.Time) cell {
	field := cell{text: c.text(u, now)}
	if c.warn != nil && c.warn(u) {
		field.style = yellow
	}
	return field
}

// isHigh is a pressure that is felt: some work waited for a tenth of the time.
func isHigh(share *float64) bool { return share != nil && *share >= 10 }

func percent(share *float64) string {
	if share == nil {
		return "-"
	}
	return strconv.FormatFloat(*share, 'f', 1, 64)
}

func byteRate(rate *float64) string {
	if rate == nil {
		return "-"
	}
	return formatBytes(uint64(*rate))
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

// topOrder is a way to sort containers.
type topOrder struct {
	key     string // in the live view
	name    string // on the command line
	compare func(a, b *launcher.Usage) int
}

// orders begins with the default. All but names come with the most first.
func orders() []topOrder {
	return []topOrder{
		{"c", "cpu", func(a, b *launcher.Usage) int { return moreFirst(a.CPU, b.CPU) }},
		{"m", "memory", func(a, b *launcher.Usage) int { return moreFirst(a.Memory, b.Memory) }},
		{"t", "tasks", func(a, b *launcher.Usage) int { return moreFirst(a.Tasks, b.Tasks) }},
		{"i", "io", func(a, b *launcher.Usage) int { return moreFirst(transfer(a), transfer(b)) }},
		{"p", "pressure", func(a, b *launcher.Usage) int { return moreFirst(worst(a.Pressure), worst(b.Pressure)) }},
		{"g", "refused", func(a, b *launcher.Usage) int { return moreFirst(a.Refused, b.Refused) }},
		{"n", "name", func(*launcher.Usage, *launcher.Usage) int { return 0 }},
	}
}

func orderNames() []string {
	var names []string
	for _, o := range orders() {
		names = append(names, o.name)
	}
	return names
}

// sort sorts, equal ones by name.
func (o *topOrder) sort(list []launcher.Usage, reversed bool) {
	slices.SortFunc(list, func(a, b launcher.Usage) int {
		if reversed {
			a, b = b, a
		}
		return cmp.Or(o.compare(&a, &b), strings.Compare(a.Name, b.Name))
	})
}

// moreFirst compares for the most first, and what isn't known last.
func moreFirst[N cmp.Ordered](a, b *N) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return cmp.Compare(*b, *a)
}

// transfer is what is read and written, nil where neither is known.
func transfer(u *launcher.Usage) *float64 {
	return combine(u.Read, u.Written, func(a, b float64) float64 { return a + b })
}

// worst is the highest pressure, nil where none is known.
func worst(p launcher.Pressure) *float64 {
	most := func(a, b float64) float64 { return max(a, b) }
	return combine(combine(p.CPU, p.Memory, most), p.IO, most)
}

func combine(a, b *float64, with func(a, b float64) float64) *float64 {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	c := with(*a, *b)
	return &c
}
