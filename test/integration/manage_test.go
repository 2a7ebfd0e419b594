package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"berth/test/host"
)

// summary is what a line of berth ps --json has at least.
type summary struct {
	Name    string   `json:"name"`
	State   string   `json:"state"`
	Scope   string   `json:"scope"`
	PID     int      `json:"pid"`
	Base    uint32   `json:"base"`
	Size    uint32   `json:"size"`
	Command []string `json:"command"`
}

func ps(t *testing.T, h *host.Host) []summary {
	t.Helper()
	var list []summary
	berthJSON(t, h, &list, "ps", "--json")
	return list
}

func TestPS(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		if got := ps(t, h); len(got) != 0 {
			t.Errorf("nothing runs: got %+v", got)
		}
		if got := berth(t, h, "ps", "--json"); strings.TrimSpace(got.Stdout) != "[]" {
			t.Errorf("nothing runs: got %q", got.Stdout)
		}
		a := start(t, h, "a", "", "sleep", "1001")
		start(t, h, "b", "[users]\nsize = 1024\n", "sleep", "1002")
		list := ps(t, h)
		if len(list) != 2 || list[0].Name != "a" || list[1].Name != "b" {
			t.Fatalf("got %+v", list)
		}
		if got := list[1]; got.State != "running" || got.Scope != "berth-b.scope" || got.Size != 1024 || strings.Join(got.Command, " ") != "sleep 1002" {
			t.Errorf("got %+v", got)
		}
		if got := shell(t, h, fmt.Sprintf("tr '\\0' ' ' < /proc/%d/cmdline", list[0].PID)); got != "sleep 1001 " {
			t.Errorf("the PID's command is %q", got)
		}
		if got := berth(t, h, "ps"); !strings.Contains(got.Stdout, "sleep 1001") || strings.Count(got.Stdout, "\n") != 3 {
			t.Errorf("got %+v", got)
		}
		shell(t, h, "systemctl freeze berth-a.scope")
		berth(t, h, "ps") // must not hang
		shell(t, h, "systemctl thaw berth-a.scope")
		a.stop()
		if list := ps(t, h); len(list) != 1 || list[0].Name != "b" {
			t.Errorf("after a's end: got %+v", list)
		}
	})
}

// A name or command that the payload chose can't command the reader's terminal.
func TestPSIsSafeToPrint(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		start(t, h, "box", "", "sh", "-c", "sleep 1000 # \x1b[31mred\x07\nline")
		for _, args := range [][]string{{"ps"}, {"inspect", "box"}} {
			if got := berth(t, h, args...); strings.ContainsAny(got.Stdout, "\x1b\x07") {
				t.Errorf("berth %v prints control characters: %q", args, got.Stdout)
			}
		}
	})
}

func TestInspect(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "[resources]\nIPAddressDeny = [\"any\"]\n")
		var got struct {
			Name   string `json:"name"`
			Scope  string `json:"scope"`
			Leader struct {
				PID int `json:"pid"`
			} `json:"leader"`
			Unit struct {
				Active       string          `json:"active_state"`
				ControlGroup string          `json:"control_group"`
				Properties   json.RawMessage `json:"properties"`
			} `json:"unit"`
			Namespaces map[string]string `json:"namespaces"`
			UIDMap     []struct {
				Host int `json:"hostID"`
				Size int `json:"size"`
			} `json:"uid_map"`
			Mounts []any `json:"mounts"`
		}
		berthJSON(t, h, &got, "inspect", "box", "--json")
		if got.Name != "box" || got.Scope != "berth-box.scope" || got.Unit.Active != "active" || got.Unit.ControlGroup != "/machine.slice/berth-box.scope" {
			t.Errorf("got %+v", got)
		}
		if want := insidePID(t, c.leader()); got.Leader.PID != want {
			t.Errorf("leader: got %d, want %d", got.Leader.PID, want)
		}
		for kind, want := range namespaces(t, c.leader()) {
			if got.Namespaces[kind] != want {
				t.Errorf("%s namespace: got %s, want %s", kind, got.Namespaces[kind], want)
			}
		}
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", c.leader()))
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Fields(string(maps)); len(got.UIDMap) != 1 || strconv.Itoa(got.UIDMap[0].Host) != want[1] || strconv.Itoa(got.UIDMap[0].Size) != want[2] {
			t.Errorf("uid_map: got %+v, want %v", got.UIDMap, want)
		}
		if len(got.Mounts) < 10 {
			t.Errorf("mounts: %v", got.Mounts)
		}
		missing := berth(t, h, "inspect", "none")
		if missing.Status != 1 {
			t.Errorf("nothing of that name: %+v", missing)
		}
		oneLine(t, missing.Stderr, `"none"`, "berth ps")
	})
}

func TestStop(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		a, b := idle(t, h, "a", ""), idle(t, h, "b", "")
		if got := berth(t, h, "stop", "a", "b"); got.Status != 0 || got.Stderr != "" {
			t.Errorf("got %+v", got)
		}
		// When it returns, nothing is left, and the name is free.
		if list := ps(t, h); len(list) != 0 {
			t.Errorf("after the stop: %+v", list)
		}
		if a.wait().Status != 0 || b.wait().Status != 0 {
			t.Errorf("the payloads got something else than their stop signal")
		}
		got := berth(t, h, "stop", "a")
		if got.Status != 1 {
			t.Errorf("nothing runs: got %+v", got)
		}
		oneLine(t, got.Stderr, `"a"`)
		for range 3 {
			c := idle(t, h, "a", "")
			if got := berth(t, h, "stop", "a"); got.Status != 0 {
				t.Errorf("again: %+v", got)
			}
			c.wait()
		}
	})
}

// held is an entry of berth pool --json.
type held struct {
	Base    uint32 `json:"base"`
	Size    uint32 `json:"size"`
	Program string `json:"program"`
	Owner   string `json:"owner"`
	Locked  bool   `json:"locked"`
}

func TestPool(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		c := idle(t, h, "box", "")
		base := ps(t, h)[0].Base
		var list []held
		berthJSON(t, h, &list, "pool", "--json")
		if !slices.Contains(list, held{base, 65536, "berth", "box", true}) {
			t.Errorf("got %+v, want an entry for %d", list, base)
		}
		if got := berth(t, h, "pool"); !strings.Contains(got.Stdout, strconv.Itoa(int(base))) || !strings.Contains(got.Stdout, "box") {
			t.Errorf("got %+v", got)
		}
		c.stop()
		berthJSON(t, h, &list, "pool", "--json")
		if slices.ContainsFunc(list, func(e held) bool { return e.Base == base && e.Locked }) {
			t.Errorf("after the end: %+v", list)
		}
	})
}

func TestCheckPlanDoctorStartNothing(t *testing.T) {
	withBerth(t, func(t *testing.T, h *host.Host) {
		define(t, h, "box", "[process]\ncommand = [\"/no/such/program\"]\n")
		if got := berth(t, h, "check", "box"); got.Status != 0 || got.Stdout+got.Stderr != "" && strings.Contains(got.Stderr, "cannot") {
			t.Errorf("check: got %+v", got)
		}
		var plan struct {
			Unit struct {
				Scope string `json:"scope"`
			} `json:"unit"`
			Mounts []struct {
				Target string `json:"target"`
				Lock   string `json:"lock"`
			} `json:"mounts"`
		}
		berthJSON(t, h, &plan, "plan", "box", "--json")
		got := berth(t, h, "plan", "box")
		if got.Status != 0 || !strings.Contains(got.Stdout, "berth-box.scope") || !strings.Contains(got.Stdout, "/proc") {
			t.Errorf("plan: got %+v", got)
		}
		if got := berth(t, h, "doctor"); got.Status != 0 && got.Status != 1 || !strings.Contains(got.Stdout, "systemd") {
			t.Errorf("doctor: got %+v", got)
		}
		var report any
		berthJSON(t, h, &report, "doctor", "--json")
		if list := ps(t, h); len(list) != 0 {
			t.Errorf("started: %+v", list)
		}
	})
}
