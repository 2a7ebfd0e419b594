// Command berth-host boots private hosts from the shell, for trying berth by
// hand and for make.
//
//	berth-host                            a shell in a new host, gone afterwards
//	berth-host -suite bookworm -- CMD…    one command in a new host, with its exit status
//	berth-host up                         boots one that stays
//	berth-host exec -- CMD…               a command in that one (a shell without CMD)
//	berth-host down                       ends it
//	berth-host root                       prints where the suite's pristine root lies
//	berth-host roots                      builds all that are missing; the canary may fail
//
// Only root can boot hosts. With several suites up, -suite names the one meant.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"berth/test/host"
)

func main() {
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "berth-host:", err)
		status = 125
	}
	os.Exit(status)
}

func run(args []string) (int, error) {
	verb := ""
	if len(args) > 0 && slices.Contains([]string{"up", "exec", "down", "root", "roots"}, args[0]) {
		verb, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("berth-host", flag.ExitOnError)
	suite := flags.String("suite", host.DefaultSuite, "Debian release to run")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: berth-host [up|exec|down|root|roots] [-suite SUITE] [-- CMD…]")
		flags.PrintDefaults()
	}
	flags.Parse(args)
	command := flags.Args()

	ctx := context.Background()
	options := host.Options{Suite: *suite, Log: os.Stderr}
	name := "up-" + *suite
	switch verb {
	case "up":
		_, err := up(ctx, options, name)
		return 0, err
	case "exec":
		h, err := up(ctx, options, name)
		if err != nil {
			return 0, err
		}
		return execute(ctx, h, command)
	case "down":
		h, err := host.Attach(name)
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		return 0, h.Close()
	case "root":
		return 0, printRoot(ctx, *suite)
	case "roots":
		return 0, buildRoots(ctx)
	}
	h, err := host.Boot(ctx, options)
	if err != nil {
		return 0, err
	}
	status, err := execute(ctx, h, command)
	return status, errors.Join(err, h.Close())
}

// up returns the host of that name, booted if it isn't running. When another
// process is booting it, up waits for that one.
func up(ctx context.Context, o host.Options, name string) (*host.Host, error) {
	o.Name, o.Detached = name, true
	for {
		if h, err := host.Attach(name); err == nil {
			return h, nil
		}
		h, err := host.Boot(ctx, o)
		if !errors.Is(err, fs.ErrExist) {
			return h, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func printRoot(ctx context.Context, name string) error {
	suite, err := host.SuiteNamed(name)
	if err != nil {
		return err
	}
	root, err := host.Root(ctx, suite, os.Stderr)
	if err != nil {
		return err
	}
	_, err = fmt.Println(root)
	return err
}

func buildRoots(ctx context.Context) error {
	for _, suite := range host.Suites() {
		_, err := host.Root(ctx, suite, os.Stderr)
		if err != nil && suite.Canary {
			fmt.Fprintf(os.Stderr, "berth-host: going on without the canary: %v\n", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// execute runs the command, or a login shell, with our own stdio, passes SIGTERM
// and SIGHUP to it, and returns its exit status.
func execute(ctx context.Context, h *host.Host, command []string) (int, error) {
	if len(command) == 0 {
		command = []string{"/bin/bash", "--login"}
	}
	cmd := h.Command(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if term := os.Getenv("TERM"); term != "" {
		cmd.Env = append(cmd.Env, "TERM="+term)
	}
	// SIGINT and SIGQUIT come from a terminal, which sends them to the command too.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go func() {
		for s := range signals {
			if s == unix.SIGTERM || s == unix.SIGHUP {
				cmd.Process.Signal(s)
			}
		}
	}()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return cmd.Status(), nil
}
