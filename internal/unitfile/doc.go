// Package unitfile reads the values of unit files: words with their quotes and
// escapes, booleans, numbers, file modes, sizes, time spans and paths, as
// systemd.syntax(7) and systemd.time(7) have them.
//
//	words := unitfile.Words(`-/srv "/var/my files"`, unitfile.Blanks, unitfile.Unquote)
//	for {
//		word, ok, err := words.Next()
//		…
//	}
//
// It knows no setting. Specifiers such as %i are not expanded: a per cent sign is
// one, as it is for a property that comes over the bus.
package unitfile
