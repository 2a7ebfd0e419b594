package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// measure runs each contender in turn, round after round, so that a busy
// moment of the machine hits all alike, with a pause before each run. The first
// round is not counted.
func measure(contenders []*contender, rounds int, pause time.Duration) error {
	for round := range rounds + 1 {
		for _, c := range contenders {
			time.Sleep(pause)
			took, err := timeOnce(c.args)
			if err != nil {
				return fmt.Errorf("%s: %v", c.name, err)
			}
			if round > 0 {
				c.times = append(c.times, took)
			}
		}
	}
	return nil
}

func timeOnce(args []string) (time.Duration, error) {
	var stderr bytes.Buffer
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = &stderr
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if err != nil {
		return 0, fmt.Errorf("%v: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return took, nil
}

// quantile is the time that a share of the runs did not exceed.
func (c *contender) quantile(share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(c.times))
	return sorted[int(share*float64(len(sorted)-1))]
}

func printTable(title string, contenders []*contender) {
	var unit time.Duration
	for _, c := range contenders {
		if c.name == reference {
			unit = c.quantile(0.5)
		}
	}
	fmt.Printf("%-24s%12s%12s%12s%12s\n", title, "median ms", "best", "90%", "ratio")
	for _, c := range contenders {
		fmt.Printf("%-24s%12.1f%12.1f%12.1f", c.name,
			milliseconds(c.quantile(0.5)), milliseconds(c.quantile(0)), milliseconds(c.quantile(0.9)))
		if unit > 0 {
			fmt.Printf("%12.2f", float64(c.quantile(0.5))/float64(unit))
		}
		fmt.Println()
	}
	fmt.Println()
}

// printDifference tells by how much the median of the first exceeds that of the
// second, run by run: what slows the machine down hits both.
func printDifference(title string, pair []*contender) {
	var d contender
	for i, took := range pair[0].times {
		d.times = append(d.times, took-pair[1].times[i])
	}
	fmt.Printf("%-24s%12.2f%24.2f\n\n", title, milliseconds(d.quantile(0.5)), milliseconds(d.quantile(0.9)))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// printMemory starts a container and weighs the processes of berth that stay
// while it runs.
func printMemory(file string) error {
	name := strings.TrimSuffix(filepath.Base(file), ".toml")
	scope := "berth-" + name + ".scope"
	container := exec.Command("berth", "run", file)
	if err := container.Start(); err != nil {
		return err
	}
	defer container.Wait()
	defer exec.Command("systemctl", "kill", "--signal=SIGKILL", scope).Run()
	if err := waitForPayload("sleep"); err != nil {
		return err
	}
	time.Sleep(time.Second) // a supervisor gives back what its start took when that has lasted
	kibibytes, err := proportionalSetSize(container.Process.Pid)
	if err != nil {
		return err
	}
	fmt.Printf("PSS of the supervisor of %s: %.1f MB\n", name, float64(kibibytes)*1024/1e6)
	return nil
}

// waitForPayload waits until a process of that name runs.
func waitForPayload(name string) error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		names, err := filepath.Glob("/proc/[0-9]*/comm")
		if err != nil {
			return err
		}
		for _, path := range names {
			if comm, err := os.ReadFile(path); err == nil && string(comm) == name+"\n" {
				return nil
			}
		}
	}
	return fmt.Errorf("no process %q after 10 s", name)
}

// proportionalSetSize is a process's, in KiB.
func proportionalSetSize(pid int) (int, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "Pss:" {
			return strconv.Atoi(fields[1])
		}
	}
	return 0, errors.New("no Pss in smaps_rollup")
}
