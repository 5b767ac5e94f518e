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

// insistingError says that somebody undoes each repair.
type insistingError struct{ last Repair }

func (e *insistingError) Error() string {
	who := "something"
	if len(e.last.By) > 0 {
		who = strings.Join(e.last.By, "; ")
	}
	return fmt.Sprintf("%s takes the place of the rules again and again: find what does so (ip -ts monitor rule route; nft monitor trace) and stop one of the two; until then it is put right every %v",
		who, longestWait)
}
