package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// version is that of the protocol. A change that the other side must know of
// makes it another.
const version = 1

const (
	// mostBytes bounds a message.
	mostBytes = 4096
	// mostFDs bounds the sockets in one. The kernel takes 253 (SCM_MAX_FD), and
	// counts those in flight against RLIMIT_NOFILE of a sender that is not root
	// (ETOOMANYREFS, unix(7)), so each batch is acknowledged.
	mostFDs = 64
)

// kind is the type of a message.
type kind string

const (
	hello   kind = "hello"   // both, first: who speaks, and which protocol
	refusal kind = "refusal" // incumbent: no, and why
	sockets kind = "sockets" // incumbent: some listening sockets
	taken   kind = "taken"   // successor: so many of them have arrived
	end     kind = "end"     // incumbent: there are no more, so many in all
	serving kind = "serving" // successor: all is open; the rules can change hands
	left    kind = "left"    // incumbent: nobody owns the rules
	ready   kind = "ready"   // successor: it serves
	yielded kind = "yielded" // incumbent: it accepts nothing more
)

// message is one of the types; the other fields belong to some of them.
type message struct {
	Type    kind   `json:"type"`
	Version int    `json:"version,omitempty"` // hello
	Release string `json:"release,omitempty"` // hello: of the program
	Rules   bool   `json:"rules,omitempty"`   // hello of the successor: it will want the rules
	Manager string `json:"manager,omitempty"` // hello of the successor: NOTIFY_SOCKET
	Count   int    `json:"count,omitempty"`   // sockets, taken, end
	Why     string `json:"why,omitempty"`     // refusal
}

var errTrailing = errors.New("there is more after it")

// parse reads a message that came with so many fds.
func parse(data []byte, fds int) (message, error) {
	var m message
	if len(data) > mostBytes {
		return m, fmt.Errorf("message of %d bytes: more than %d", len(data), mostBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&m); err != nil {
		return message{}, fmt.Errorf("message: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return message{}, fmt.Errorf("message: %w", errTrailing)
	}
	switch m.Type {
	case hello, refusal, taken, end, serving, left, ready, yielded:
		if fds != 0 {
			return message{}, fmt.Errorf("message %s: bears %d sockets", m.Type, fds)
		}
	case sockets:
		if fds == 0 || fds > mostFDs || fds != m.Count {
			return message{}, fmt.Errorf("message %s: %d sockets came, %d were announced, up to %d may", m.Type, fds, m.Count, mostFDs)
		}
	default:
		return message{}, fmt.Errorf("message of unknown type %.20q", string(m.Type))
	}
	if m.Count < 0 {
		return message{}, fmt.Errorf("message %s: count %d", m.Type, m.Count)
	}
	return m, nil
}

// bytes is the message as it is sent.
func (m message) bytes() ([]byte, error) {
	data, err := json.Marshal(m)
	if err == nil && len(data) > mostBytes {
		err = fmt.Errorf("message %s: more than %d bytes", m.Type, mostBytes)
	}
	return data, err
}
