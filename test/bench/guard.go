package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// guarded are a container with mountguard and one without, which differ in
// nothing else.
func guarded(dir, root string) (with, without string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", "", err
	}
	body := fmt.Sprintf(`profile = "system"
[root]
directory = %q
read_only = true
[process]
command = [%q, "-calls"]
[[mounts]]
type = "bind"
source = %q
target = "/mnt"
idmap = "no"
`, root, "/mnt/"+filepath.Base(self), filepath.Dir(self))
	with, without = filepath.Join(dir, "guarded.toml"), filepath.Join(dir, "unguarded.toml")
	if err := os.WriteFile(with, []byte(body), 0o644); err != nil {
		return "", "", err
	}
	return with, without, os.WriteFile(without, []byte(body+"[mountguard]\nenabled = false\n"), 0o644)
}

// benchGuard prints what mountguard costs a container's calls.
func benchGuard(dir, root string) error {
	with, without, err := guarded(dir, root)
	if err != nil {
		return err
	}
	const rounds = 5
	runs := map[string][]callTimes{}
	for range rounds {
		for _, file := range []string{with, without} {
			times, err := callsIn(file)
			if err != nil {
				return err
			}
			runs[file] = append(runs[file], times)
		}
	}
	fmt.Printf("%-42s%12s%12s%12s\n", "mountguard, median µs", "with", "without", "ratio")
	for _, name := range []string{untrapped, refused, remounted, crowded, tmpfs, unmounted} {
		a, b := middle(runs[with], name), middle(runs[without], name)
		fmt.Printf("%-42s%12.2f%12.2f%12.2f\n", name, microseconds(a), microseconds(b), float64(a)/float64(b))
	}
	fmt.Println()
	return nil
}

// callsIn runs a container that times its calls.
func callsIn(file string) (callTimes, error) {
	out, err := exec.Command("berth", "run", file).Output()
	if err != nil {
		return nil, fmt.Errorf("berth run %s: %v", file, err)
	}
	var times callTimes
	return times, json.Unmarshal(out, &times)
}

// middle is the median of the runs' medians.
func middle(runs []callTimes, name string) time.Duration {
	var all []time.Duration
	for _, r := range runs {
		all = append(all, r[name])
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
