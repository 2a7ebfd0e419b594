package units

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

func TestConnectWithoutBus(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	if _, err := Connect(t.Context()); !errors.Is(err, ErrNoBus) {
		t.Errorf("got %v", err)
	}
}

// A bus that is there and says nothing doesn't hold Connect beyond its context.
func TestConnectToMuteBus(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+socket)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := Connect(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestUnitPath(t *testing.T) {
	for name, want := range map[string]dbus.ObjectPath{
		"berth-web.scope": unitPrefix + "berth_2dweb_2escope",
		"0a.service":      unitPrefix + "_30a_2eservice",
		"berth@a1.scope":  unitPrefix + "berth_40a1_2escope",
		"ünit":            unitPrefix + "_c3_bcnit",
		"@[`{/:":          unitPrefix + "_40_5b_60_7b_2f_3a",
	} {
		if got := unitPath(name); got != want || !got.IsValid() {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

func TestReplyError(t *testing.T) {
	if err := replyError(*dbus.NewError(systemdName+".UnitExists", []any{"x"})); !errors.Is(err, ErrUnitExists) {
		t.Errorf("UnitExists: %v", err)
	}
	if err := replyError(*dbus.NewError(systemdName+".NoSuchUnit", []any{"x"})); !errors.Is(err, ErrNoUnit) {
		t.Errorf("NoSuchUnit: %v", err)
	}
	for message, want := range map[string]string{
		"Cannot set property PIDFDs, or unknown property.":           "PIDFDs",
		"CPUQuotaPerSecUSec= value out of range":                     "CPUQuotaPerSecUSec",
		"Value specified in TasksMaxScale is out of range":           "TasksMaxScale",
		"DeviceAllow= requires device node or pattern":               "DeviceAllow",
		"Cannot set property RuntimeMaxUSec, or unknown property.":   "RuntimeMaxUSec",
		"Failed to set unit properties: Unexpected message contents": "",
	} {
		var refused *PropertyError
		err := replyError(*dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", []any{message}))
		if !errors.As(err, &refused) || refused.Property != want {
			t.Errorf("%q: got %v, want the property %q", message, err, want)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]int{
		"257.7-1": 257, "252.39-1~deb12u2": 252, "262-1": 262, "v255.4": 255, "261~rc2": 261,
		"": 0, "v": 0, "x257": 0, "99999999999999999999": 0,
	} {
		got, err := parseVersion(text)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
}

func TestUnitOf(t *testing.T) {
	u := unitOf("x.service", map[string]dbus.Variant{
		"ActiveState":          dbus.MakeVariant("active"),
		"MainPID":              dbus.MakeVariant(uint32(12)),
		"InvocationID":         dbus.MakeVariant([]byte("0123456789abcdef")),
		"ActiveEnterTimestamp": dbus.MakeVariant(uint64(1e6)),
		"ControlGroup":         dbus.MakeVariant(uint32(5)), // of another type than promised
	})
	if u.ActiveState != "active" || u.MainPID != 12 || u.InvocationID != "30313233343536373839616263646566" ||
		u.Active.Unix() != 1 || u.ControlGroup != "" || u.Properties["MainPID"] != uint32(12) {
		t.Errorf("got %+v", u)
	}
}
