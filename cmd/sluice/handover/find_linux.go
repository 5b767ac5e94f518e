package handover

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"golang.org/x/sys/unix"
)

// Find looks for who listens at the places; nil if nobody does. uids are the users,
// beside root, whose processes are trusted. A *StrangerError comes with whatever
// else was found.
func Find(places []string, uids ...int) (found *Incumbent, err error) {
	var pids []int
	var stranger error
	for _, place := range places {
		w, err := call(name(place), uids)
		if errors.As(err, new(*StrangerError)) {
			stranger = err
			continue
		}
		if err != nil {
			found.Close()
			return nil, err
		}
		if w == nil {
			continue
		}
		if !slices.Contains(pids, w.peer.PID) {
			pids = append(pids, w.peer.PID)
		}
		if found == nil {
			found = newIncumbent(w)
		} else {
			w.Close()
		}
	}
	if len(pids) > 1 {
		found.Close()
		return nil, &SeveralError{pids}
	}
	return found, stranger
}

func newIncumbent(w *wire) *Incumbent {
	process, err := unix.PidfdOpen(w.peer.PID, 0) // Linux 5.3
	if err != nil {
		process = -1
	}
	return &Incumbent{wire: w, process: process}
}

// call connects to a door; nil where there is none.
func call(name string, uids []int) (*wire, error) {
	dialer := net.Dialer{Timeout: answerPatience}
	conn, err := dialer.Dial("unixpacket", name)
	if errors.Is(err, unix.ECONNREFUSED) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s, where a running sluice should answer: %w", name, err)
	}
	w, err := newWire(conn.(*net.UnixConn))
	if err != nil {
		conn.Close()
		return nil, err
	}
	if !trusted(w.peer.UID, uids...) {
		w.Close()
		return nil, &StrangerError{name, w.peer}
	}
	return w, nil
}
