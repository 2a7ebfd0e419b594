// The berth program: containers as systemd units.
//
//	berth run web.toml
//	berth exec web -- nginx -t
//	systemctl status berth-web.scope
//
// Each command has a file of its own here, which reads the arguments and prints
// the result; what is done is in package launcher. docs/reference.md is
// generated from the commands, and compared with them by a test.
//
// The program is also the first process of a container, and what enters one:
// under other names for argv[0], before anything here is set up.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"berth/config"
	"berth/internal/nsinit"
	"berth/launcher"

	"github.com/spf13/cobra"
)

func main() {
	nsinit.Main()
	os.Exit(execute(newRoot()))
}

// execute runs the command that the arguments name and returns berth's exit
// status.
func execute(root *cobra.Command) int {
	cmd, err := root.ExecuteC()
	var payload payloadStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &payload):
		return int(payload)
	case errors.Is(err, errReported):
	default:
		report(cmd.ErrOrStderr(), err)
	}
	if cmd.Annotations[runsPayload] != "" {
		return launcher.Status(err)
	}
	return 1
}

// runsPayload annotates commands whose exit status is their payload's, so that
// berth's own failures need another one.
const runsPayload = "runs-payload"

// payloadStatus is not a failure of berth's: the payload ended with it.
type payloadStatus int

func (s payloadStatus) Error() string { return fmt.Sprintf("the payload ended with status %d", int(s)) }

// ended turns the result of a payload into that of its command.
func ended(status int, err error) error {
	if err == nil && status != 0 {
		return payloadStatus(status)
	}
	return err
}

// errReported is a failure that the user has been told of.
var errReported = errors.New("reported already")

// report prints an error: those of a file on a line each, as they are, and any
// other on one line.
func report(w io.Writer, err error) {
	var file config.Errors
	if errors.As(err, &file) {
		fmt.Fprintln(w, file)
		return
	}
	fmt.Fprintln(w, "berth:", strings.ReplaceAll(err.Error(), "\n", "; "))
}

// warn prints what the user should know and nothing stops for.
func warn(w io.Writer, message string) { fmt.Fprintln(w, "berth: warning:", message) }
