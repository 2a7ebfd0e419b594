package config

// environment takes a table of variables; a number may stand for its digits.
func environment(target *map[string]string) decoder {
	return func(n node) {
		members, ok := n.members()
		if !ok {
			n.mismatch("a table of strings")
			return
		}
		*target = make(map[string]string, len(members))
		for _, m := range members {
			value, ok := textOrNumber(m.node)
			if ok && m.accept(m.name, []check{checkVariable}) && m.accept(value, []check{checkVariableValue(m.name)}) {
				(*target)[m.name] = value
			}
		}
	}
}

// checkVariableValue wants that NAME=VALUE can be passed on.
func checkVariableValue(name string) check {
	return func(s string) error { return checkArgument(name + "=" + s) }
}

// user takes a user and perhaps a group, each by name or number.
func user(target *string) decoder {
	return func(n node) {
		if s, ok := textOrNumber(n); ok && n.accept(s, []check{checkUser}) {
			*target = s
		}
	}
}

// stopSignal takes a signal by name or number, and keeps the full name.
func stopSignal(target *string) decoder {
	return func(n node) {
		s, ok := textOrNumber(n)
		if !ok {
			return
		}
		number, err := Signal(s)
		if err != nil {
			n.fail("%v", err)
			return
		}
		*target = signalName(number)
	}
}

// complete fills in what the file leaves out of the process, and checks what
// concerns several keys.
func (p *Process) complete(d *document, name string) {
	if p.WorkingDirectory == "" {
		p.WorkingDirectory = "/"
	}
	if p.Hostname == "" {
		p.Hostname = hostnameOf(name)
	}
	if p.StopSignal == "" {
		p.StopSignal = defaultStopSignal(p.Boot)
	}
	p.checkCommand(d)
	if p.Boot && d.given["process.user"] {
		d.fail("process.user", "cannot be given with boot = true: init starts as root")
	}
}

// checkCommand wants something to run. With boot that is the root's init, and
// the command only its arguments.
func (p *Process) checkCommand(d *document) {
	const key = "process.command"
	switch {
	case p.Boot || d.failed(key) || d.failed("process.boot"):
	case !d.given[key]:
		d.fail(key, "is required, unless boot = true")
	case len(p.Command) == 0:
		d.fail(key, "must not be empty, unless boot = true")
	case p.Command[0] == "" && !d.failed(element(key, 0)):
		d.fail(element(key, 0), "must name a program")
	}
}

// defaultStopSignal is what asks the payload to end; for an init, systemd's
// signal for halting the machine.
func defaultStopSignal(boot bool) string {
	if boot {
		return "SIGRTMIN+3"
	}
	return "SIGTERM"
}
