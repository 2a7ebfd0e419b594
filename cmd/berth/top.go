package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"berth/launcher"

	"github.com/spf13/cobra"
)

// topOptions are those of the command line.
type topOptions struct {
	interval   time.Duration
	iterations int // 0: for as long as somebody watches, else once
	sort       string
	json       bool
}

func topCommand() *cobra.Command {
	o := topOptions{interval: 2 * time.Second, sort: orders()[0].name}
	cmd := &cobra.Command{
		Use:   "top [OPTION…]",
		Short: "watch what the containers use",
		Long: `Shows what each container uses: processor time in percent of one CPU, memory, tasks
and bytes a second from and to disks, over the last interval; the percentage of the
last ten seconds in which a task of it waited for a CPU, for memory or for a disk
(PSI); and how many system calls mountguard has refused since the start. The numbers
are those of the container's cgroup; - is for what this host doesn't count, such as
memory without the memory controller.

On a terminal it goes on until q is typed; ? lists the other keys, and Enter shows a
container's processes. Else, and with --iterations or --json, it prints a table or JSON
after each interval, and ends after --iterations of them, 1 unless told otherwise. With
--iterations, --json prints each document on a line.`,
		Example: `berth top
berth top --sort memory --iterations 1 | head
berth top --json | jq '.containers[] | select(.memory > 1e9) | .name'`,
		GroupID:           groupLook,
		Args:              none,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd.Flags().Changed("iterations")); err != nil {
				return err
			}
			if o.iterations == 0 && !o.json && isLive(cmd.InOrStdin(), cmd.OutOrStdout()) {
				return watchTop(cmd.Context(), o, colours(cmd.OutOrStdout()))
			}
			return printTop(cmd.Context(), cmd.OutOrStdout(), new(launcher.Top), o)
		},
	}
	cmd.Flags().DurationVar(&o.interval, "interval", o.interval, "measure for this `TIME`, such as 500ms")
	cmd.Flags().IntVar(&o.iterations, "iterations", 0, "print this `NUMBER` of tables, and end")
	cmd.Flags().StringVar(&o.sort, "sort", o.sort, "sort by `KEY`: "+strings.Join(orderNames(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(orderNames(), cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"interval", "iterations"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	registerJSON(cmd, &o.json)
	return cmd
}

// check refuses what makes no sense, and an interval that would make a load of
// its own.
func (o *topOptions) check(iterations bool) error {
	const least = 100 * time.Millisecond
	switch {
	case o.interval < least:
		return fmt.Errorf("cannot use --interval %s: %s is the shortest", o.interval, least)
	case iterations && o.iterations < 1:
		return fmt.Errorf("cannot use --iterations %d: 1 is the fewest", o.iterations)
	case !slices.Contains(orderNames(), o.sort):
		return fmt.Errorf("cannot use --sort %q: there are %s", o.sort, strings.Join(orderNames(), ", "))
	}
	return nil
}

// isLive tells whether somebody watches, and can type.
func isLive(in io.Reader, out io.Writer) bool {
	i, isFile := in.(*os.File)
	o, alsoFile := out.(*os.File)
	return isFile && alsoFile && launcher.IsTerminal(i) && launcher.IsTerminal(o) && os.Getenv("TERM") != "dumb"
}

// sampler is what a launcher.Top does.
type sampler interface {
	Sample(context.Context) (launcher.Sample, error)
	Processes(name string) (list []launcher.TaskUsage, more bool, err error)
	Close()
}

// printTop prints a sample after each interval.
func printTop(ctx context.Context, w io.Writer, top sampler, o topOptions) error {
	defer top.Close()
	if _, err := top.Sample(ctx); err != nil { // what the first rates begin at
		return err
	}
	order, err := orderNamed(o.sort)
	if err != nil {
		return err
	}
	for n := range max(o.iterations, 1) {
		time.Sleep(o.interval)
		sample, err := top.Sample(ctx)
		if err != nil {
			return err
		}
		order.sort(sample.Containers, false)
		if n > 0 && !o.json {
			fmt.Fprintln(w)
		}
		if err := printSample(w, sample, o); err != nil {
			return err
		}
	}
	return nil
}

func printSample(w io.Writer, sample launcher.Sample, o topOptions) error {
	switch {
	case o.json && o.iterations > 0:
		return json.NewEncoder(w).Encode(sample)
	case o.json:
		return printJSON(w, sample)
	}
	return topTable(sample).print(w)
}

func topTable(sample launcher.Sample) *table {
	t := new(table)
	for _, c := range topColumns() {
		t.head = append(t.head, c.title)
	}
	for i := range sample.Containers {
		row := make([]cell, 0, len(t.head))
		for _, c := range topColumns() {
			row = append(row, c.cell(&sample.Containers[i], sample.Time))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// orderNamed finds an order by its name.
func orderNamed(name string) (topOrder, error) {
	for _, o := range orders() {
		if o.name == name {
			return o, nil
		}
	}
	return topOrder{}, errors.New("internal error: no order " + name)
}
