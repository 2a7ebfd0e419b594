package units

// Assignment is a setting with values, for the tests beside systemd.
type Assignment struct {
	Name   string
	Values []string
}

// Accepted returns what Convert is tested to accept.
func Accepted() []Assignment {
	list := make([]Assignment, len(accepted))
	for i, test := range accepted {
		list[i] = Assignment{test.name, test.values}
	}
	return list
}

// Refused returns what Convert is tested to refuse.
func Refused() []Assignment {
	list := make([]Assignment, len(refused))
	for i, test := range refused {
		list[i] = Assignment{test.name, []string{test.value}}
	}
	return list
}

// UniqueName is the connection's own name on the bus.
func (m *Manager) UniqueName() string { return m.conn.Names()[0] }
