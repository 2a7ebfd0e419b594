package trace

import "encoding/binary"

// collect reads the maps.
func (m *maps) collect(r *Record) error {
	order := binary.NativeEndian
	for slot := range uint32(abis * maxCalls) {
		var call [callSize]byte
		if err := m.calls.Lookup(slot, &call); err != nil {
			return err
		}
		called, refused, done := order.Uint32(call[:]), order.Uint32(call[4:]), order.Uint32(call[8:])
		if called != 0 {
			r.Calls = append(r.Calls, Called{Call: callOf(slot), Refused: refused != 0 && done == 0})
		}
	}
	var lost uint64
	if err := m.lost.Lookup(uint32(0), &lost); err != nil {
		return err
	}
	r.Lost += int(lost)
	var fact [factSize]byte
	var one uint32
	facts := m.facts.Iterate()
	for facts.Next(&fact, &one) {
		r.fact(fact)
	}
	return facts.Err()
}

// fact adds what a program has noted.
func (r *Record) fact(b [factSize]byte) {
	order := binary.NativeEndian
	what := b[8:]
	switch kind := order.Uint32(b[:]); kind {
	case factBound:
		a := Address{Family: int(order.Uint16(what)), Port: int(binary.BigEndian.Uint16(what[2:]))}
		if a.Family == inet {
			copy(a.IP[:4], what[4:])
		} else {
			copy(a.IP[:], what[8:])
		}
		r.Addresses = append(r.Addresses, a)
	case factCheck:
		r.Checks = append(r.Checks, Check{int(order.Uint32(what)), callOf(order.Uint32(what[4:]))})
	case factGained:
		r.GainedRights = true
	default:
		r.Arguments = append(r.Arguments, Argument{callOf(kind), [2]uint64{order.Uint64(what), order.Uint64(what[8:])}})
	}
}
