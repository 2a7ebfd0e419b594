// Package integration tests berth as its users meet it: in private hosts that
// run a real systemd, one for each suite, looked at from inside and outside.
//
//	func TestSomething(t *testing.T) {
//		onEverySuite(t, func(t *testing.T, h *host.Host) {
//			buildBerth(t)
//			leavesNothing(t, h)
//			writeFile(t, h, "/etc/berth/x.toml", "…")
//			got := run(t, h, "berth", "run", "x")
//			…
//		})
//	}
//
// BERTH_SUITES, "bookworm trixie forky" when unset, names the suites. Without
// root every test is skipped; on CI it fails. Hosts are shared by all tests of
// a run, so a test that harms its host boots one of its own: see ownHost.
package integration

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"berth/test/host"
	"berth/test/require"
)

// booted is one suite's host, or why there is none.
type booted struct {
	suite host.Suite
	host  *host.Host
	err   error
}

// hosts has an entry for each suite wanted. Only TestMain writes it.
var hosts []booted

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

func runAll(m *testing.M) (status int) {
	if os.Getuid() == 0 {
		if err := bootAll(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	defer func() {
		for _, b := range hosts {
			if b.host == nil {
				continue
			}
			if err := b.host.Close(); err != nil {
				fmt.Fprintf(os.Stderr, "cannot close the %s host: %v\n", b.suite.Name, err)
				status = 1
			}
		}
	}()
	return m.Run()
}

// bootAll boots the suites that BERTH_SUITES names, all at once.
func bootAll(ctx context.Context) error {
	names := os.Getenv("BERTH_SUITES")
	if names == "" {
		names = "bookworm trixie forky"
	}
	for name := range strings.FieldsSeq(names) {
		suite, err := host.SuiteNamed(name)
		if err != nil {
			return err
		}
		hosts = append(hosts, booted{suite: suite})
	}
	var boots sync.WaitGroup
	for i := range hosts {
		boots.Go(func() {
			options := host.Options{Suite: hosts[i].suite.Name, Log: os.Stderr}
			hosts[i].host, hosts[i].err = host.Boot(ctx, options)
		})
	}
	boots.Wait()
	return nil
}

// onEverySuite runs test once for each suite, as a subtest. A canary that has
// no root today is skipped, even where everything was promised.
func onEverySuite(t *testing.T, test func(t *testing.T, h *host.Host)) {
	t.Helper()
	onSuites(t, hosts, test)
}

// thoroughSuite is where what depends on the kernel alone, which all hosts share, is
// tried.
const thoroughSuite = "trixie"

// onThoroughSuite runs a test on that suite, or on the first where it isn't wanted.
func onThoroughSuite(t *testing.T, test func(t *testing.T, h *host.Host)) {
	t.Helper()
	for i, b := range hosts {
		if b.suite.Name == thoroughSuite {
			onSuites(t, hosts[i:i+1], test)
			return
		}
	}
	onSuites(t, hosts[:min(1, len(hosts))], test)
}

func onSuites(t *testing.T, hosts []booted, test func(t *testing.T, h *host.Host)) {
	t.Helper()
	require.Root(t)
	for _, b := range hosts {
		t.Run(b.suite.Name, func(t *testing.T) {
			if b.err != nil && b.suite.Canary {
				t.Skipf("the canary can't run today: %v", b.err)
			}
			if b.err != nil {
				t.Fatal(b.err)
			}
			test(t, b.host)
		})
	}
}

// ownHost boots a host of the same suite for this test alone.
func ownHost(t *testing.T, like *host.Host) *host.Host {
	t.Helper()
	h, err := host.Boot(t.Context(), host.Options{Suite: like.Suite().Name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}
