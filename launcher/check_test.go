package launcher

import (
	"errors"
	"testing"

	"berth/config"
)

// What is wrong with a file is told also where nothing could start.
func TestCheckOnAnyHost(t *testing.T) {
	for _, text := range []string{"[resources]\nMemoryMax = 'x'", "[sandbox]\nProtectSystem = 'strickt'"} {
		err := Check(t.Context(), parse(t, "process.command = ['true']\n"+text), Options{BestEffort: true})
		var wrong config.Errors
		if !errors.As(err, &wrong) || len(wrong) != 1 || wrong[0].Pos.Line != 3 {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
