package record

import (
	"fmt"
	"strconv"
	"strings"
)

// ID names a flow for as long as the process lives: the network, the worker that has
// it, a place among that worker's connections (0 of a session), and how many came
// before it, of which the last 29 bits (of a session, 32) count.
type ID uint64

const (
	sessionBit  = ID(1) << 63
	workerShift = 53 // 10 bits: there are at most 1024 reactors
	placeShift  = 29 // 24 bits: there are at most 1<<24 connections
	serialMask  = 1<<placeShift - 1
	placeMask   = 1<<(workerShift-placeShift) - 1
	workerMask  = 1<<(63-workerShift) - 1
)

// ConnID is that of a connection.
func ConnID(worker int, place uint32, serial uint64) ID {
	return ID(worker&workerMask)<<workerShift | ID(place&placeMask)<<placeShift | ID(serial&serialMask)
}

// SessionID is that of a session.
func SessionID(worker int, serial uint32) ID {
	return sessionBit | ID(worker&workerMask)<<workerShift | ID(serial)
}

// IsSession tells whether it is that of a UDP session.
func (id ID) IsSession() bool { return id&sessionBit != 0 }

// Worker is the index of the worker that has the flow.
func (id ID) Worker() int { return int(id >> workerShift & workerMask) }

// Place is a connection's among those of its worker.
func (id ID) Place() uint32 { return uint32(id >> placeShift & placeMask) }

// String is the ID in 20 characters or less, as t0.1f.2a9 or u1.3e8.
func (id ID) String() string {
	if id.IsSession() {
		return fmt.Sprintf("u%x.%x", id.Worker(), uint32(id))
	}
	return fmt.Sprintf("t%x.%x.%x", id.Worker(), id.Place(), uint64(id&serialMask))
}

// ParseID reads what String has written.
func ParseID(text string) (ID, error) {
	fail := func() (ID, error) {
		return 0, fmt.Errorf("%q is no flow's: they look like t0.1f.2a9 or u1.3e8, as flows shows them", text)
	}
	if text == "" {
		return fail()
	}
	var n []uint64
	for part := range strings.SplitSeq(text[1:], ".") {
		v, err := strconv.ParseUint(part, 16, 32)
		if err != nil {
			return fail()
		}
		n = append(n, v)
	}
	var id ID
	switch {
	case text[0] == 't' && len(n) == 3 && n[0] <= workerMask && n[1] <= placeMask && n[2] <= serialMask:
		id = ConnID(int(n[0]), uint32(n[1]), n[2])
	case text[0] == 'u' && len(n) == 2 && n[0] <= workerMask:
		id = SessionID(int(n[0]), uint32(n[1]))
	default:
		return fail()
	}
	if id.String() != text { // leading zeros, capitals, signs
		return fail()
	}
	return id, nil
}
