package exposure

import (
	"strings"

	"berth/internal/unitfile"
	"berth/sandbox"
)

// NewUnit returns a service without any setting, for Set.
func NewUnit() Unit { return Unit{Settings: sandbox.New()} }

// Set takes an assignment as a line of a unit file has it: a list adds, and an
// empty value resets it. What no check looks at is passed over. The error is that
// of sandbox.Settings.Set, for a value that the setting doesn't take.
func (u *Unit) Set(name, value string) error {
	if u.set(name, value) {
		return nil
	}
	if _, err := sandbox.Lookup(name); err != nil {
		return nil // of another kind, or refused by berth: not asked about
	}
	return u.Settings.Set(name, value)
}

// set takes what is no setting of package sandbox, or not for a container.
func (u *Unit) set(name, value string) bool {
	switch name {
	case "User":
		u.User = value
	case "DynamicUser":
		u.DynamicUser = isYes(value)
	case "SupplementaryGroups":
		add(&u.SupplementaryGroups, value, strings.Fields(value))
	case "RootDirectory":
		u.RootDirectory = value
	case "RootImage":
		u.RootImage = value
	case "IPAddressAllow":
		add(&u.IPAddressAllow, value, strings.Fields(value))
	case "IPAddressDeny":
		add(&u.IPAddressDeny, value, strings.Fields(value))
	case "IPIngressFilterPath":
		add(&u.IPIngressFilters, value, []string{value})
	case "IPEgressFilterPath":
		add(&u.IPEgressFilters, value, []string{value})
	case "DevicePolicy":
		u.DevicePolicy = value
	case "DeviceAllow":
		add(&u.DeviceAllow, value, []string{value})
	case "Delegate":
		u.Delegate = value != "" && !isNo(value)
	case "NotifyAccess":
		u.NotifyAccess = value
	case "DefaultDependencies":
		u.EarlyBoot = isNo(value)
	default:
		return false
	}
	return true
}

// add adds to a list, or empties it.
func add(list *[]string, value string, words []string) {
	if value == "" {
		*list = nil
		return
	}
	*list = append(*list, words...)
}

// isYes and isNo are both false for what is no boolean.
func isYes(value string) bool { on, err := unitfile.Boolean(value); return err == nil && on }
func isNo(value string) bool  { on, err := unitfile.Boolean(value); return err == nil && !on }
