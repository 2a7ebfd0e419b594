package idpool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// reserved is the IDs of a grid that files of the host give to somebody.
type reserved struct {
	spans  []span   // by lo
	reach  []uint64 // reach[i]: the highest end of spans[:i+1]
	compat bool     // passwd or group has "+" lines: NIS entries
}

// span is the IDs from lo up to, not including, end.
type span struct {
	lo, end uint64
	file    string
	line    int // from 1; 0 when the file's name says it all
	text    []byte
	user    bool // text is a user's or group's line of passwd or group
}

// readReserved reads the files once. One that does not exist reserves nothing;
// one that cannot be read is an error, as it might reserve everything.
func (p Pool) readReserved(g grid) (reserved, error) {
	r := reader{root: p, lo: uint64(g.first) * chunkSize, end: uint64(g.first+g.count) * chunkSize}
	for _, name := range []string{"etc/subuid", "etc/subgid"} {
		r.lines(name, r.subordinate)
	}
	// /usr/lib has the image's own users where nss-altfiles is in use.
	for _, name := range []string{"etc/passwd", "etc/group", "usr/lib/passwd", "usr/lib/group"} {
		r.lines(name, r.account)
	}
	// USERDB_DROPIN_DIR_NULSTR in systemd's src/shared/userdb-dropin.h
	for _, name := range []string{"etc/userdb", "run/userdb", "run/host/userdb", "usr/local/lib/userdb", "usr/lib/userdb"} {
		r.dropIns(name)
	}
	return r.result()
}

// overlap is the first reservation met that has an ID of b, as text, or "".
func (r reserved) overlap(b Block) string {
	lo, end := uint64(b.Base), uint64(b.Base)+uint64(b.Size)
	i := sort.Search(len(r.spans), func(i int) bool { return r.spans[i].lo >= end }) - 1
	for ; i >= 0 && r.reach[i] > lo; i-- {
		if r.spans[i].end > lo {
			return r.spans[i].String()
		}
	}
	return ""
}

func (s span) String() string {
	switch {
	case s.line == 0:
		return fmt.Sprintf("%s defines an account with the ID %d", s.file, s.lo)
	case s.user:
		name, _, _ := bytes.Cut(s.text, []byte(":"))
		return fmt.Sprintf("%s:%d: %q has the ID %d", s.file, s.line, name, s.lo)
	}
	return fmt.Sprintf("%s:%d: %s", s.file, s.line, s.text)
}

// reader collects the spans that touch lo … end-1.
type reader struct {
	root    Pool
	lo, end uint64
	spans   []span
	compat  bool
	err     error // the first
}

func (r *reader) result() (reserved, error) {
	slices.SortFunc(r.spans, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	reach, highest := make([]uint64, len(r.spans)), uint64(0)
	for i, s := range r.spans {
		highest = max(highest, s.end)
		reach[i] = highest
	}
	return reserved{spans: r.spans, reach: reach, compat: r.compat}, r.err
}

func (r *reader) add(s span) {
	if s.lo < r.end && s.end > r.lo && s.lo < s.end {
		r.spans = append(r.spans, s)
	}
}

func (r *reader) fail(err error) {
	if r.err == nil && !errors.Is(err, fs.ErrNotExist) {
		r.err = err
	}
}

// lines calls each with every line of a file.
func (r *reader) lines(name string, each func(span)) {
	path := r.root.path(name)
	data, err := os.ReadFile(path)
	if err != nil {
		r.fail(err)
		return
	}
	for line := 1; len(data) > 0; line++ {
		var text []byte
		text, data, _ = bytes.Cut(data, []byte("\n"))
		each(span{file: path, line: line, text: text})
	}
}

// subordinate is a line OWNER:START:COUNT. shadow gives nobody anything from
// a line that it cannot parse, so neither does such a line reserve anything.
func (r *reader) subordinate(s span) {
	owner, rest, ok := bytes.Cut(s.text, []byte(":"))
	start, count, ok2 := bytes.Cut(rest, []byte(":"))
	if !ok || !ok2 || len(owner) == 0 {
		return
	}
	lo, ok := parseC(start)
	n, ok2 := parseC(count)
	if !ok || !ok2 {
		return
	}
	s.lo, s.end = lo, lo+min(n, 1<<32)
	r.add(s)
}

// account is a line NAME:PASSWORD:ID:… of passwd or group.
func (r *reader) account(s span) {
	if bytes.HasPrefix(s.text, []byte("+")) {
		r.compat = true
		return
	}
	fields := bytes.SplitN(s.text, []byte(":"), 4)
	if len(fields) < 4 {
		return
	}
	id, ok := parseC(fields[2])
	if !ok {
		return
	}
	s.lo, s.end, s.user = id, id+1, true
	r.add(s)
}

// dropIns is a directory with a file or link ID.user or ID.group for every
// account in it.
func (r *reader) dropIns(name string) {
	dir, err := os.Open(r.root.path(name))
	if err != nil {
		r.fail(err)
		return
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		r.fail(err)
	}
	for _, name := range names {
		stem, kind, _ := strings.Cut(name, ".")
		id, err := strconv.ParseUint(stem, 10, 32)
		if err == nil && (kind == "user" || kind == "group") {
			r.add(span{lo: id, end: id + 1, file: filepath.Join(dir.Name(), name)})
		}
	}
}

// parseC is a number of at most 32 bits as strtoul(…, 0) reads it, which is
// how shadow (getulong) does: 0x for hexadecimal, a leading 0 for octal, white
// space and a sign before it. A larger number ends at 2^32.
func parseC(text []byte) (uint64, bool) {
	n := uint64(0)
	for i, c := range text {
		if c < '0' || c > '9' || (i == 0 && c == '0') || i > 15 {
			return parseOddC(string(text))
		}
		n = n*10 + uint64(c-'0')
	}
	return min(n, 1<<32), len(text) > 0
}

func parseOddC(text string) (uint64, bool) {
	text = strings.TrimPrefix(strings.TrimLeft(text, " \t\v\f\r"), "+")
	if strings.Contains(text, "_") {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 0, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 1 << 32, true
	}
	return min(n, 1<<32), err == nil
}
