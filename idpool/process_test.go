package idpool

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestMain lets the test binary be the processes that hold blocks.
func TestMain(m *testing.M) {
	var err error
	switch os.Getenv("IDPOOL_TEST_PROCESS") {
	case "":
		os.Exit(m.Run())
	case "hold":
		err = holdProcess(os.Args[1], os.Args[2], os.Args[3])
	case "sleep":
		io.Copy(io.Discard, os.Stdin)
	case "churn":
		err = churnProcess(os.Args[1], os.Args[2], os.Args[3])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// holdProcess acquires a block, prints its base, and exits without releasing
// it when stdin ends.
func holdProcess(root, name, size string) error {
	n, err := strconv.ParseUint(size, 10, 32)
	if err != nil {
		return err
	}
	lease, err := Pool{Root: root}.Acquire(context.Background(), Request{Name: name, Size: uint32(n)})
	if err != nil {
		return err
	}
	fmt.Println(lease.Block().Base)
	io.Copy(io.Discard, os.Stdin)
	_ = lease.Block()
	return nil
}

// process is a running copy of the test binary.
type process struct {
	*exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
}

func start(t testing.TB, mode string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	// One Go thread each, as there may be a thousand, and no pause at the exit
	// of a binary built with -race.
	cmd.Env = append(os.Environ(), "IDPOOL_TEST_PROCESS="+mode, "GOMAXPROCS=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	return launch(t, cmd)
}

func launch(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, stdin, bufio.NewReader(stdout)}
	t.Cleanup(func() { p.end() })
	return p
}

// base reads the number that a holdProcess prints.
func (p *process) base(t testing.TB) uint32 {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("process ended without a block: %v", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(line), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

func (p *process) end() error {
	p.stdin.Close()
	return p.Wait()
}

func (p *process) kill() {
	p.Process.Kill()
	p.Wait()
}

func TestProcessesGetDifferentBlocks(t *testing.T) {
	count := 1000
	if testing.Short() {
		count = 50
	}
	for _, size := range []uint32{65536, 1024} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			root := t.TempDir()
			all := make([]*process, count)
			for i := range all {
				// Few names: most processes want a block that another has.
				all[i] = start(t, "hold", root, fmt.Sprint("web", i%10), fmt.Sprint(size))
			}
			holder := map[uint32]int{}
			for i, p := range all {
				base := p.base(t)
				if j, taken := holder[base]; taken {
					t.Errorf("processes %d and %d both hold %d", i, j, base)
				}
				holder[base] = i
			}
			held, err := Pool{Root: root}.List()
			if err != nil || len(held) != count {
				t.Errorf("List: %d blocks, error %v; want %d", len(held), err, count)
			}
		})
	}
}

func TestKilledHolderFreesItsBlock(t *testing.T) {
	for _, size := range []uint32{1024, 65536, 3 * 65536} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			pool := Pool{Root: t.TempDir()}
			p := start(t, "hold", pool.Root, "web", fmt.Sprint(size))
			base := p.base(t)
			wantInUse(t, pool, Request{Name: "db", Base: base, Size: size}, `container "web" holds`)
			p.kill()
			if held, err := pool.List(); len(held) != 0 || err != nil {
				t.Errorf("List shows the dead: %v, error %v", held, err)
			}
			lease := acquire(t, pool, Request{Name: "web", Size: size})
			if got := lease.Block().Base; got != base {
				t.Errorf("the name got %d before and %d now", base, got)
			}
			closeLease(t, lease)
			wantNoFiles(t, pool)
		})
	}
}

// A descriptor given to another process holds the block after its first
// holder's death.
func TestInheritedDescriptorHoldsBlock(t *testing.T) {
	pool := Pool{Root: t.TempDir()}
	lease := acquire(t, pool, Request{Name: "web", Size: 2 * 65536})
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "IDPOOL_TEST_PROCESS=sleep")
	cmd.ExtraFiles = lease.Files()
	child := launch(t, cmd)
	for _, file := range lease.Files() {
		file.Close()
	}
	request := Request{Name: "db", Base: lease.Block().Base, Size: 2 * 65536}
	wantInUse(t, pool, request, `container "web" holds`)
	if err := child.end(); err != nil {
		t.Fatal(err)
	}
	closeLease(t, acquire(t, pool, request))
}
