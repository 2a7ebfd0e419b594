package launcher

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"berth/internal/kernel"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// WriteJSON writes {"plan": the plan, "oci": its OCI rendering}, indented, in an
// order that depends on the plan alone.
func (p *Plan) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Plan *Plan       `json:"plan"`
		OCI  *specs.Spec `json:"oci"`
	}{p, p.OCI()})
}

// WriteText writes the plan for people to read.
func (p *Plan) WriteText(w io.Writer) error {
	t := &planText{Plan: p, w: w}
	t.unit()
	t.ids()
	t.root()
	t.mounts()
	t.rules()
	t.process()
	t.limits()
	t.section("Guard")
	t.filter()
	t.guard()
	t.warnings()
	t.end()
	return t.err
}

// planText writes sections of aligned lines. The first error stays.
type planText struct {
	*Plan
	w     io.Writer
	table *tabwriter.Writer
	err   error
}

// section ends the table before and begins a new one.
func (t *planText) section(title string) {
	if t.table != nil {
		t.end()
		t.keep(fmt.Fprintln(t.w))
	}
	t.keep(fmt.Fprintln(t.w, title))
	t.table = tabwriter.NewWriter(t.w, 0, 8, 2, ' ', 0)
}

// line writes cells with tabs between them. Values go through plain or quoteAll
// where a file decides what is in them.
func (t *planText) line(cells ...string) {
	t.keep(fmt.Fprintln(t.table, "  "+strings.Join(cells, "\t")))
}

// row is a line with a name and a value, left out where there is none.
func (t *planText) row(name, value string) {
	if value != "" {
		t.line(name, value)
	}
}

func (t *planText) end() {
	if t.table != nil {
		t.keep(0, t.table.Flush())
	}
}

func (t *planText) keep(_ int, err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *planText) unit() {
	t.section("Unit " + t.Unit.Scope)
	t.row("description", plain(t.Description))
	t.row("file", plain(t.File))
	t.row("slice", t.Unit.Slice)
	t.row("delegated", yesNo(t.Unit.Delegate))
	for _, property := range t.Unit.Properties {
		name, value, _ := strings.Cut(property.String(), "=")
		t.line(name, plain(value))
	}
}

func (t *planText) ids() {
	u := t.Users
	t.section("Users")
	if u.Host {
		t.line("block", "none: the host's own IDs")
		return
	}
	t.line("block", fmt.Sprintf("%d-%d", u.Base, u.Base+u.Size-1))
	for _, m := range u.Maps() {
		t.line("map", describeMap("container", m))
	}
	if !u.MapRoot {
		t.line("root", "does not exist inside")
	}
}

// describeMap writes where the IDs of one line of a map go.
func describeMap(of string, m kernel.IDMap) string {
	return fmt.Sprintf("%s %s = host %s", of, idRange(m.Container, m.Size), idRange(m.Host, m.Size))
}

func idRange(first, size int) string {
	if size == 1 {
		return strconv.Itoa(first)
	}
	return fmt.Sprintf("%d-%d", first, first+size-1)
}

func (t *planText) root() {
	t.section("Root")
	switch t.Root.Type {
	case "overlay":
		t.line("type", "overlay, changes stay in memory and go with the container")
	case "tmpfs":
		t.line("type", "tmpfs, with /usr of the directory read-only")
	default:
		t.line("type", t.Root.Type)
	}
	t.line("directory", plain(t.Root.Directory))
	t.line("read-only", yesNo(t.Root.ReadOnly))
	t.line("locked", string(t.Root.Lock))
	t.line("ID map", describeIDs(t.identity()))
	t.row("left out", wrap(t.Root.Hidden))
	t.row("left out unless anybody may read it", wrap(t.Root.Private))
	for _, m := range t.Mounts {
		t.row("left out of "+m.Target, wrap(m.Hidden))
		t.row("left out of it unless anybody may read it", wrap(m.Private))
	}
}

// wrap writes a list into a cell of several lines.
func wrap(list []string) string { return strings.Join(fold(list, 80), "\n  \t") }

func (t *planText) mounts() {
	t.section("Mounts")
	t.line("SOURCE", "  TARGET", "FLAGS", "ID MAP", "LOCKED")
	for _, m := range t.Mounts {
		t.line(plain(describeSource(m)), "→ "+plain(m.Target), plain(describeFlags(m)), describeIDs(m.IDs), string(m.Lock))
	}
}

func describeSource(m Mount) string {
	switch {
	case m.Type == "bind" && m.Recursive:
		return m.Source + " and below"
	case m.Type == "bind":
		return m.Source
	case m.Type == "overlay" && m.Upper == "":
		return "overlay of " + strings.Join(m.Lower, ":")
	case m.Type == "overlay":
		return m.Upper + " over " + strings.Join(m.Lower, ":")
	}
	return m.Type
}

func describeFlags(m Mount) string {
	flags := strings.Join(m.Flags, ",")
	for _, o := range m.Options {
		flags += "," + o.Key
		if o.Value != "" {
			flags += "=" + o.Value
		}
	}
	if m.Optional {
		flags += ", where it exists"
	}
	if flags == "" {
		return "-"
	}
	return strings.TrimPrefix(flags, ",")
}

func describeIDs(ids *MountIDs) string {
	switch {
	case ids == nil:
		return "-"
	case len(ids.UIDs) == 1 && len(ids.GIDs) == 1 && ids.UIDs[0] == ids.GIDs[0]:
		return ids.Map + ": " + describeMap("disk", ids.UIDs[0])
	}
	var maps []string
	for _, m := range ids.UIDs {
		maps = append(maps, describeMap("disk user", m))
	}
	for _, m := range ids.GIDs {
		maps = append(maps, describeMap("group", m))
	}
	return ids.Map + ": " + strings.Join(maps, ", ")
}

// rules lists what paths may be used for, by what they say.
func (t *planText) rules() {
	t.section("Rules for paths (the longest path wins; locked in place)")
	var kinds []string
	paths := map[string][]string{}
	for _, r := range t.Rules {
		kind := string(r.Access)
		if r.Exec != "" {
			kind = strings.TrimPrefix(kind+", "+string(r.Exec), ", ")
		}
		if r.Setting != "" {
			kind = r.Setting + ": " + kind
		}
		if paths[kind] == nil {
			kinds = append(kinds, kind)
		}
		name := r.Path
		if r.Optional {
			name = "-" + name
		}
		paths[kind] = append(paths[kind], name)
	}
	for _, kind := range kinds {
		t.row(kind, wrap(plainAll(paths[kind])))
	}
}

// filter names the filters of system calls; --json has them whole.
func (t *planText) filter() {
	if len(t.Filter) == 0 {
		t.line("filter", "none")
	}
	for _, layer := range t.Filter {
		t.line("filter", fmt.Sprintf("%s: %d rules, else %s", plain(layer.Name), len(layer.Rules), layer.Default))
	}
}

// guard says what is kept of the initial mounts, and by looking at which calls.
func (t *planText) guard() {
	g := t.Guard
	t.line("initial mounts", kept(g.Remounts, "keep read-only, nosuid, nodev and noexec", "may be remounted, but for what rules make of paths"))
	t.line("", kept(g.Unmounts, "stay mounted", "may be unmounted, but for /, /proc, /sys and what rules make of paths"))
	switch {
	case t.Users.Host:
		t.line("mount guard", "off: without a user namespace the kernel locks no mount")
	case !g.Enabled:
		t.line("mount guard", "off")
	case len(t.Traps) == 0:
		t.line("mount guard", "nothing to look at: the filter denies the calls")
	default:
		t.line("mount guard", "looks at "+wrap(t.Traps))
	}
}

func kept(lifted bool, yes, no string) string {
	if lifted {
		return no
	}
	return yes
}

func (t *planText) process() {
	p := t.Setup.Process
	t.section("Process")
	t.line("command", quoteAll(p.Args))
	t.line("environment", quoteAll(p.Env))
	user := p.User
	if user == "" {
		user = "root"
	}
	t.line("user", plain(user))
	t.line("directory", plain(p.Dir))
	t.line("host name", t.Setup.Hostname)
	t.line("network", t.Network)
	t.line("terminal", yesNo(p.Terminal))
	t.line("PID 1", firstProcess(p.Boot))
	t.line("stop signal", signalText(t.StopSignal))
	t.attributes(p.Attributes)
}

func (t *planText) attributes(a kernel.Attributes) {
	t.line("no new privileges", yesNo(a.NoNewPrivileges))
	t.line("capabilities", wrap(a.Bounding.Names()))
	t.row("ambient capabilities", wrap(a.Ambient.Names()))
	t.line("umask", fmt.Sprintf("%04o", a.UMask))
	if a.SecureBits != 0 {
		t.line("secure bits", fmt.Sprintf("%#x", a.SecureBits))
	}
	if a.Personality != nil {
		t.line("personality", fmt.Sprintf("%#x", *a.Personality))
	}
	if a.OOMScoreAdjust != nil {
		t.line("OOM score", strconv.Itoa(*a.OOMScoreAdjust))
	}
	if a.Nice != nil {
		t.line("nice", strconv.Itoa(*a.Nice))
	}
	if s := a.Scheduler; s != nil {
		t.line("CPU scheduling", fmt.Sprintf("%s, priority %d", s.Policy, s.Priority))
	}
	if a.IO != nil {
		t.line("I/O scheduling", fmt.Sprintf("%s, priority %d", a.IO.Class, a.IO.Priority))
	}
	if len(a.CPUAffinity) > 0 {
		t.line("CPUs", strings.Trim(fmt.Sprint(a.CPUAffinity), "[]"))
	}
	t.line("memory both written and executed", yesNo(!a.DenyWriteExec))
}

func firstProcess(boot bool) string {
	if boot {
		return "the command itself"
	}
	return "berth's reaper, without capabilities"
}

// signalText names a signal; the real-time ones count from the C library's first.
func signalText(n int) string {
	const first = 34
	switch {
	case n == first:
		return "SIGRTMIN"
	case n > first:
		return fmt.Sprintf("SIGRTMIN+%d", n-first)
	}
	return unix.SignalName(syscall.Signal(n))
}

func (t *planText) limits() {
	t.section("Limits of a process")
	t.line("", "SOFT", "HARD")
	for _, l := range t.Setup.Process.Limits {
		t.line(strings.TrimPrefix(l.Name, "RLIMIT_"), rlimit(l.Soft), rlimit(l.Hard))
	}
}

func rlimit(v uint64) string {
	if v == infinity {
		return "infinity"
	}
	return strconv.FormatUint(v, 10)
}

func (t *planText) warnings() {
	if len(t.Warnings) == 0 {
		return
	}
	t.section("Not enforced on this host")
	for _, w := range t.Warnings {
		t.line(plain(w))
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// plain quotes a text that would not stay on its line or in its cell, or would
// change the terminal.
func plain(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

func plainAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = plain(s)
	}
	return out
}

// quoteAll writes words so that each can be told from the next.
func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = word
		if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || !strconv.IsPrint(r) }) {
			quoted[i] = strconv.Quote(word)
		}
	}
	return strings.Join(quoted, " ")
}
