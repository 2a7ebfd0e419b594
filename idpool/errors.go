package idpool

import "fmt"

// InUseError says that the block asked for is somebody else's.
type InUseError struct {
	Block Block
	// By is what is in the way, for a person to read: a line of a file with
	// its place, a user or group, or who holds the lock.
	By string
	// Locked is whether it is a lock that stands in the way: the block becomes
	// free when its holder ends. Otherwise it is the host's configuration.
	Locked bool

	lookup bool // found by asking nsswitch sources
}

func (e *InUseError) Error() string {
	advice := `choose another base, or map = "auto"`
	if e.Locked {
		advice = "stop it, or " + advice
	}
	return fmt.Sprintf("cannot use IDs %v: %s; %s", e.Block, e.By, advice)
}

// FullError says that no block of the size is free.
type FullError struct {
	Name string
	Size uint32
	// Held, Reserved and Lookups count the candidates in use by running
	// containers, kept from containers by the host's files, and known to
	// another source of nsswitch.conf.
	Held, Reserved, Lookups int
	// Example is the first reservation met, or "".
	Example string

	grid grid
}

// count notes a candidate refused for another reason than a lock.
func (e *FullError) count(taken *InUseError) {
	if taken.lookup {
		e.Lookups++
	} else {
		e.Reserved++
	}
	if e.Example == "" {
		e.Example = taken.By
	}
}

func (e *FullError) Error() string {
	where := fmt.Sprintf("in %d-%d", e.grid.first*chunkSize, (e.grid.first+e.grid.count)*chunkSize-1)
	if e.Lookups >= maxLookups {
		return fmt.Sprintf("cannot allocate %d IDs for %q: the user database knows every block tried %s (%s); keep its ID ranges out of there",
			e.Size, e.Name, where, e.Example)
	}
	example := ""
	if e.Example != "" {
		example = ", for example by " + e.Example
	}
	return fmt.Sprintf("cannot allocate %d IDs for %q: no block is free %s: %d in use, %d reserved%s; stop a container, or use a smaller size",
		e.Size, e.Name, where, e.Held, e.Reserved+e.Lookups, example)
}
