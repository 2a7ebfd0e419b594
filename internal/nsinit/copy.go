package nsinit

import (
	"io"
	"os"

	"berth/internal/archive"
	"berth/internal/kernel"

	"golang.org/x/sys/unix"
)

// Copy says what a process of CopyName copies: from a path of the container to its
// standard output, or from its standard input to one. See package archive.
type Copy struct {
	Out    bool   `json:"out"`
	Path   string `json:"path"`
	Name   string `json:"name"` // Out: archive.Source's; else archive.Target's Into
	Tree   bool   `json:"tree"`
	Owners bool   `json:"owners"`
	Modes  uint32 `json:"modes"`
}

// maxText bounds what a message quotes, which has to fit into a packet.
const maxText = 1000

// copyTree copies, and ends. enter.c has joined the user and mount namespaces, whose
// root directory is this process' own by that.
func copyTree(conn *Conn, s Setup) error {
	if err := dieWithLauncher(); err != nil {
		return err
	}
	// What root needs for files of others. The kernel counts them for the container's
	// files only, as it does for root there.
	const files = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH |
		1<<unix.CAP_FOWNER | 1<<unix.CAP_FSETID
	if err := kernel.KeepCaps(files); err != nil {
		return err
	}
	root, err := kernel.OpenPath("/")
	if err != nil {
		return err
	}
	skipped := func(name, why string) {
		_ = conn.Send(Message{Kind: Skipped, Step: shorten(name), Error: why})
	}
	c := s.Copy
	if c.Out {
		err = archive.Source{Root: root, Path: c.Path, Name: c.Name, Skipped: skipped}.Pack(os.Stdout)
	} else {
		err = archive.Target{
			Root: root, Path: c.Path, Into: c.Name, Tree: c.Tree, Owners: c.Owners, Modes: c.Modes, Skipped: skipped,
		}.Unpack(os.Stdin)
		if err == nil { // what fills up the last block of an archive is written too
			_, err = io.Copy(io.Discard, os.Stdin)
		}
	}
	if err != nil {
		return &Failure{Step: "", Cause: shorten(err.Error()), Status: 125}
	}
	os.Exit(0)
	return nil
}

func shorten(text string) string {
	if len(text) > maxText {
		return text[:maxText] + "…"
	}
	return text
}
