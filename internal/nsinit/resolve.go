package nsinit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// command is a Process looked up in the root file system.
type command struct {
	path     string
	args     []string
	env      []string
	uid, gid int
	groups   []int
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// resolve finds the user, the environment, the working directory (which it
// enters) and the program, all inside the container's root.
func resolve(p Process) (command, error) {
	account, err := lookUser(openHere, p.User)
	if err != nil {
		return command{}, err
	}
	for _, id := range append([]int{account.Uid, account.Gid}, account.Sgids...) {
		if id < 0 || uint32(id) >= p.IDs {
			return command{}, fmt.Errorf("cannot become user %q: ID %d does not exist in the container, whose IDs end at %d; give it a larger users.size", p.User, id, p.IDs-1)
		}
	}
	cmd := command{
		args: p.Args, env: environment(p, account),
		uid: account.Uid, gid: account.Gid, groups: account.Sgids,
	}
	if p.LoginShell {
		cmd.args = []string{account.shell}
	}
	if err := unix.Chdir(p.Dir); err != nil {
		return command{}, fmt.Errorf("cannot enter the working directory %q: %w", p.Dir, err)
	}
	cmd.path, err = findProgram(cmd.args[0], cmd.env)
	return cmd, err
}

// account is a line of the root's passwd file, or what stands for a user
// without one.
type account struct {
	*user.ExecUser
	name, shell string
}

// maxDatabase bounds what is read of a passwd or group file.
const maxDatabase = 8 << 20

// LookUpUser resolves "name", "uid" or "user:group" to numbers, before there is a
// process in the container. open opens a file of the container to be read, as
// os.Open does, and waits for nobody.
func LookUpUser(open func(path string) (*os.File, error), spec string) (uid, gid int, err error) {
	a, err := lookUser(open, spec)
	if err != nil {
		return 0, 0, err
	}
	return a.Uid, a.Gid, nil
}

// openHere opens a file of this process' own root.
func openHere(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}

// lookUser resolves "name", "uid", "user:group" against the container's
// own user database.
func lookUser(open func(path string) (*os.File, error), spec string) (account, error) {
	passwd, err := readDatabase(open, "/etc/passwd")
	if err != nil {
		return account{}, err
	}
	group, err := readDatabase(open, "/etc/group")
	if err != nil {
		return account{}, err
	}
	found, err := user.GetExecUser(spec, &user.ExecUser{Home: "/"}, strings.NewReader(passwd), strings.NewReader(group))
	if err != nil {
		return account{}, fmt.Errorf("cannot find user %q in the container: %w", spec, err)
	}
	a := account{ExecUser: found, shell: "/bin/sh"}
	users, err := user.ParsePasswdFilter(strings.NewReader(passwd), func(u user.User) bool { return u.Uid == found.Uid })
	if err == nil && len(users) > 0 {
		a.name = users[0].Name
		if users[0].Shell != "" {
			a.shell = users[0].Shell
		}
	}
	if a.Home == "" {
		a.Home = "/"
	}
	return a, nil
}

// readDatabase reads a regular file of the root that anybody may have put
// there: it waits for no FIFO and reads no device.
func readDatabase(open func(path string) (*os.File, error), path string) (string, error) {
	f, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("cannot read %s: not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxDatabase+1))
	if len(data) > maxDatabase {
		err = fmt.Errorf("cannot read %s: larger than %d bytes", path, maxDatabase)
	}
	return string(data), err
}

// environment puts what the user database says under what was given.
func environment(p Process, a account) []string {
	defaults := []string{"PATH=" + defaultPath, "HOME=" + a.Home, "SHELL=" + a.shell}
	if a.name != "" {
		defaults = append(defaults, "USER="+a.name, "LOGNAME="+a.name)
	}
	env := append([]string{}, p.Env...)
	for _, d := range defaults {
		key, _, _ := strings.Cut(d, "=")
		if lookupEnv(p.Env, key) == nil && !slices.Contains(p.Unset, key) && !slices.Contains(p.Unset, d) {
			env = append(env, d)
		}
	}
	return env
}

func lookupEnv(env []string, key string) *string {
	for i := len(env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(env[i], key+"="); ok {
			return &value
		}
	}
	return nil
}

// findProgram searches PATH of the payload's environment, as execvp(3) does, or
// the default one.
func findProgram(name string, env []string) (string, error) {
	search := defaultPath
	if path := lookupEnv(env, "PATH"); path != nil {
		search = *path
	}
	os.Setenv("PATH", search)
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrDot) {
		err = nil
	}
	if err != nil {
		cause := errors.Unwrap(err)
		return "", execFailure(name, cause)
	}
	return path, nil
}

// execFailure is why a program did not start, with the exit status that shells
// use: 127 when it is not there, 126 when it can't be executed.
func execFailure(name string, cause error) *Failure {
	status := 126
	if errors.Is(cause, exec.ErrNotFound) || errors.Is(cause, syscall.ENOENT) || errors.Is(cause, syscall.ENOTDIR) {
		status = 127
	}
	f := &Failure{Step: fmt.Sprintf("execute %q in the container", name), Cause: cause.Error(), Status: status}
	if errors.Is(cause, exec.ErrNotFound) {
		f.Cause = "there is no such program in its PATH"
	}
	return f
}
