package launcher

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"time"

	"berth/config"
	"berth/internal/kernel"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

// publish lets other berth processes know. Not on the stage's thread, which
// doesn't see the state directory.
func (s *start) publish() error {
	payload, err := kernel.PidOfPidfd(s.payload)
	if err != nil && !errors.Is(err, unix.ESRCH) { // ESRCH: it has ended already
		return cannot("identify the payload", err)
	}
	state := State{
		Name: s.plan.Name, Description: s.plan.Description, Scope: s.plan.Unit.Scope, Users: s.plan.Users,
		Root: s.plan.Root.Directory, Network: s.plan.Network, StopSignal: s.plan.StopSignal, Process: s.plan.Setup.Process,
		Started: time.Now(), Guarded: s.guard != nil,
	}
	if state.Supervisor, err = identify(os.Getpid()); err != nil {
		return cannot("identify the supervisor", err)
	}
	if state.Leader, err = identify(s.child.Pid); err != nil {
		return cannot("identify the container's PID 1", err)
	}
	if s.unlogged != nil {
		s.Warn("the container's output does not reach the journal: " + s.unlogged.Error())
	}
	s.logWarnings()
	if s.control, err = serveControl(s.claim.dir.Name(), s.guard, s.binder); err != nil {
		return err
	}
	if payload > 0 {
		state.Payload, err = identify(payload)
		if err != nil || kernel.SignalPidfd(s.payload, 0) != nil {
			state.Payload = ProcessID{} // it has ended, and the number may be another's
		}
	}
	plan := *s.plan
	plan.Filter = nil // long, and what comes of it is in the process
	if state.Plan, err = json.Marshal(plan); err != nil {
		return err
	}
	state.Container = withoutSecrets(s.container)
	s.leader = state.Leader
	return s.claim.publish(state)
}

// withoutSecrets leaves out the contents of credentials, which lie nowhere that
// may be swapped out.
func withoutSecrets(c *config.Container) *config.Container {
	public := *c
	public.Sandbox = slices.DeleteFunc(slices.Clone(c.Sandbox), func(s config.Setting) bool {
		return s.Name == "SetCredential" || s.Name == "SetCredentialEncrypted"
	})
	return &public
}

// logWarnings writes what --best-effort went on without to the journal of the
// container's unit, which journald finds by OBJECT_PID: systemd.journal-fields(7).
func (s *start) logWarnings() {
	for _, warning := range s.plan.Warnings {
		_ = journal.Send(warning, journal.PriWarning, map[string]string{ // told on stderr as well
			"SYSLOG_IDENTIFIER": "berth", "CONTAINER_NAME": s.plan.Name, "OBJECT_PID": strconv.Itoa(s.child.Pid),
		})
	}
}
