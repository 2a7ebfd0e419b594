package launcher

import (
	"os"

	"berth/internal/kernel"
	"berth/internal/nsinit"

	"golang.org/x/sys/unix"
)

// payloadUser is the payload's user and group in the container's own numbers,
// once all mounts are made.
func (s *stage) payloadUser() (kernel.Owner, error) {
	if s.user != nil {
		return *s.user, nil
	}
	uid, gid, err := nsinit.LookUpUser(s.openFile, s.plan.Setup.Process.User)
	if err != nil {
		return kernel.Owner{}, err
	}
	s.user = &kernel.Owner{UID: uid, GID: gid}
	return *s.user, nil
}

// hostOwner gives a user of the container its number on the host.
func (s *stage) hostOwner(inside kernel.Owner) kernel.Owner {
	base := int(s.plan.Users.Base)
	return kernel.Owner{UID: base + inside.UID, GID: base + inside.GID}
}

// openFile opens a file to be read as the container will see it, before its
// mounts are attached.
func (s *stage) openFile(name string) (*os.File, error) {
	name, err := s.canonical(name)
	if err != nil {
		return nil, err
	}
	t, rest := s.treeOf(name)
	if t.mnt == nil {
		return nil, unix.ENOENT
	}
	f, err := kernel.OpenPlain(t.mnt, rest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return kernel.Reopen(f, unix.O_RDONLY)
}
