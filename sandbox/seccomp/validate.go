package seccomp

import (
	"fmt"

	"berth/internal/kernel"
)

// Validate has the kernel judge programs, without a filter on any thread that
// goes on: it needs no privileges. Filters with the same instructions that allow
// everything are loaded into a thread that ends, as one with what they really
// return could kill the process. What they return is asked for by itself.
func Validate(programs []Program) error {
	for _, p := range programs {
		if err := p.validate(); err != nil {
			return fmt.Errorf("cannot load the filter of system calls of %s: %w", p.Name, err)
		}
	}
	return nil
}

func (p Program) validate() error {
	code, err := parse(p.Code)
	if err != nil {
		return err
	}
	asked := map[uint32]bool{}
	for i, c := range code {
		if c.Code != returnsConst {
			continue
		}
		action := c.K &^ retData
		if !asked[action] {
			if err := kernel.FilterAction(action); err != nil {
				return err
			}
			asked[action] = true
		}
		code[i].K = retAllow
	}
	return kernel.TryFilter(code.bytes())
}
