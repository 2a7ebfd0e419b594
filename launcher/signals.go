package launcher

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"

	"golang.org/x/sys/unix"
)

// forwarded are the signals that are the payload's business, not berth's.
var forwarded = []os.Signal{
	unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGCONT, unix.SIGALRM,
}

// terminates tells whether a signal is a wish to end.
func terminates(s os.Signal) bool {
	return s == unix.SIGINT || s == unix.SIGTERM || s == unix.SIGHUP || s == unix.SIGQUIT
}

// receiveSignals starts to collect signals. SIGPIPE is among them so that it
// doesn't end berth: a closed output is noticed where it is written to.
func receiveSignals() (signals chan os.Signal, stop func()) {
	signals = make(chan os.Signal, 16)
	signal.Notify(signals, append(slices.Clone(forwarded), unix.SIGWINCH, unix.SIGPIPE)...)
	return signals, func() { signal.Stop(signals) }
}

// interruptible returns a context that ends with a signal: as long as no payload
// runs, signals are for berth. The returned function ends that, and tells which
// signal came, if any, so that one that came too late is not lost.
func interruptible(ctx context.Context, signals <-chan os.Signal) (context.Context, func() os.Signal) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended, received := make(chan struct{}), make(chan os.Signal, 1)
	go func() {
		defer close(received)
		for {
			select {
			case s := <-signals:
				if terminates(s) {
					received <- s
					cancel(fmt.Errorf("interrupted by signal %q", s))
					return
				}
			case <-ended:
				return
			}
		}
	}()
	over := false
	return ctx, func() os.Signal {
		if over {
			return nil
		}
		over = true
		close(ended)
		s := <-received
		cancel(nil)
		return s
	}
}
