package rules

import (
	"fmt"
	"strings"
)

// Repair says what others took of the rules.
type Repair struct {
	Missing []string // commands that would put it right, or the name of what is gone
	By      []string // the rules and routes of others that stand in the place, as ip(8) shows them
}

// InsistingError says that somebody undoes each repair.
type InsistingError struct{ Last Repair }

func (e *InsistingError) Error() string {
	who := "somebody takes the rules away"
	if len(e.Last.By) > 0 {
		who = strings.Join(e.Last.By, "; ") + " takes their place"
	}
	return fmt.Sprintf("%s again and again: find out what does so (ip -ts monitor rule route; nft monitor) and stop it, or sluice; until then they are put back every %v, unlogged",
		who, longestWait)
}
