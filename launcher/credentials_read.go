package launcher

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// credentialsWait is how long a socket may take to send a credential, or a TPM
// to decrypt one: what systemd gives a unit to start.
const credentialsWait = 90 * time.Second

func maxSize(encrypted bool) int {
	if encrypted {
		return maxEncrypted
	}
	return maxCredentials
}

// readCredential reads a file of the host's.
func readCredential(name string, encrypted bool) ([]byte, error) {
	f, err := kernel.OpenSource(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readOpened(f, maxSize(encrypted))
}

// readOpened reads a regular file that an O_PATH descriptor names. One of the
// kernel's that has nothing to tell for now, as /proc/kmsg, is an error: EAGAIN.
func readOpened(f *os.File, most int) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", f.Name())
	}
	file, err := kernel.Reopen(f, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	return readAtMost(impatient{conn}, f.Name(), most)
}

// impatient reads what is there: an os.File would wait for more.
type impatient struct{ conn syscall.RawConn }

func (r impatient) Read(p []byte) (n int, err error) {
	connErr := r.conn.Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), p)
		return true
	})
	switch {
	case connErr != nil:
		return 0, connErr
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func readAtMost(r io.Reader, name string, most int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > most {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return data, nil
}

// receiveCredential connects to a socket and reads until it is closed. Who
// listens learns from the address that it is bound to what is asked for: see
// systemd.exec(5), LoadCredential=.
func receiveCredential(socket *os.File, from string, most int) ([]byte, error) {
	where := fmt.Sprintf("/proc/self/fd/%d", socket.Fd())
	conn, err := net.DialUnix("unix", &net.UnixAddr{Name: from, Net: "unix"}, &net.UnixAddr{Name: where, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", socket.Name(), err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(credentialsWait)); err != nil {
		return nil, err
	}
	return readAtMost(conn, socket.Name(), most)
}

// decrypt has systemd-creds(1) decrypt a credential, which knows the keys.
func decrypt(id string, data []byte) ([]byte, error) {
	if _, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), "")); err != nil {
		data = []byte(base64.StdEncoding.EncodeToString(data)) // the form that it takes
	}
	ctx, cancel := context.WithTimeout(context.Background(), credentialsWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "systemd-creds", "decrypt", "--name="+id, "-", "-")
	cmd.Stdin = bytes.NewReader(data)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("decrypt with systemd-creds: %w: %s", err, strings.TrimSpace(complaint.String()))
	}
	return out.Bytes(), nil
}
