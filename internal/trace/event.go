package trace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
)

// An event is a use of a file: offsets and sizes in it.
const (
	eventAccess = 0    // u32
	eventFlags  = 4    // u32
	eventPID    = 8    // u32
	eventUser   = 12   // u32
	eventLength = 16   // i32: of the text with its NUL, 0 for none, or an errno below 0
	eventUsed   = 24   // i64: bytes of the directory's names, or -1: it is incomplete
	eventDentry = 32   // u64, while it is filled
	eventMount  = 40   // u64, the same
	eventText   = 64   // what the process said, with a NUL
	eventNames  = 1088 // names of the directory it begins with, the innermost first, each with a NUL
	eventSize   = 4096

	eventName  = 256                                            // the most that a name takes
	eventMost  = 2047                                           // the most bytes before the last name
	eventDepth = 48                                             // the most names and mounts
	_          = eventSize - eventNames - eventMost - eventName // not below 0
)

// errLost is an event without its whole path.
var errLost = errors.New("the path is too long")

func parseEvent(data []byte) (Use, error) {
	if len(data) < eventSize {
		return Use{}, errLost
	}
	number := func(at int) uint32 { return binary.NativeEndian.Uint32(data[at:]) }
	length, used := int32(number(eventLength)), int64(binary.NativeEndian.Uint64(data[eventUsed:]))
	if length < 0 || length >= eventNames-eventText || used < 0 || used > eventMost+eventName {
		return Use{}, errLost
	}
	text, _, _ := bytes.Cut(data[eventText:eventNames], []byte{0})
	if length == 0 {
		text = nil
	}
	return Use{
		Path:   join(data[eventNames:eventNames+used], string(text)),
		Access: Access(number(eventAccess)), Flags: uint64(number(eventFlags)),
		PID: int(number(eventPID)), User: number(eventUser),
	}, nil
}

// join puts a directory, whose names come the innermost first, before a path.
func join(names []byte, path string) string {
	var b strings.Builder
	words := bytes.Split(bytes.TrimSuffix(names, []byte{0}), []byte{0})
	for i := len(words) - 1; i >= 0; i-- {
		if len(words[i]) > 0 {
			b.WriteByte('/')
			b.Write(words[i])
		}
	}
	if path != "" && path[0] != '/' {
		b.WriteByte('/')
	}
	b.WriteString(path)
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}
