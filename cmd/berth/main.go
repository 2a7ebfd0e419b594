package main

import (
	"context"
	"fmt"
	"os"

	"berth/config"
	"berth/idpool"
	"berth/internal/nsinit"
	"berth/launcher"
)

func main() {
	nsinit.Main()
	c, err := config.Load(os.Args[2], config.Overrides{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
	l := launcher.Launcher{Pool: idpool.Default(), Stdio: launcher.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, Warn: func(m string) { fmt.Fprintln(os.Stderr, "berth: warning:", m) }}
	status, err := l.Run(context.Background(), c, launcher.Options{Terminal: launcher.IsTerminal(os.Stdin) && launcher.IsTerminal(os.Stdout), Term: os.Getenv("TERM"), BestEffort: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, "berth:", err)
		os.Exit(launcher.Status(err))
	}
	os.Exit(status)
}
