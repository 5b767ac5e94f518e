package keep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Verb is what a request asks for.
type Verb string

const (
	Divert   Verb = "divert"   // have the rules that the configuration asks for, or none
	Open     Verb = "open"     // let new connections pass while the old ones drain
	Leave    Verb = "leave"    // let go of the rules, which stay in force for another process
	Remove   Verb = "remove"   // take the rules away
	Look     Verb = "look"     // say how the rules stand
	Arrivals Verb = "arrivals" // gets no reply
)

// Request is a message to the keeper.
type Request struct {
	Do        Verb   `json:"do"`
	Sum       string `json:"sum,omitempty"`       // of Divert: the rules that are meant; empty: none
	Conns     uint64 `json:"conns,omitempty"`     // of Arrivals, since the start
	Datagrams uint64 `json:"datagrams,omitempty"` // likewise
}

// Reply is the keeper's answer to a request; the first, without one, says that
// it is there.
type Reply struct {
	Error string   `json:"error,omitempty"`
	Holds []string `json:"holds,omitempty"` // of the first: how the keeper is confined
	Rules *Rules   `json:"rules,omitempty"` // to Look; none: they are being changed
}

// Rules is how the rules stand.
type Rules struct {
	Installed bool     `json:"installed"`
	Amiss     []string `json:"amiss,omitempty"` // what keeps them from having effect; none: they have
	Hints     []string `json:"hints,omitempty"` // what else an operator should know
	Zones     []int    `json:"zones,omitempty"` // of the connection tracker, that they use
}

// Bounds of what Rules says, so that it is a message.
const (
	mostLines     = 16  // of each kind
	mostLineBytes = 256 // six as many where all are escaped
)

// Bounded is r with no more than a message holds.
func (r Rules) Bounded() Rules {
	for _, lines := range []*[]string{&r.Amiss, &r.Hints} {
		*lines = slices.Clone((*lines)[:min(len(*lines), mostLines)])
		for i, line := range *lines {
			if len(line) > mostLineBytes {
				(*lines)[i] = strings.ToValidUTF8(line[:mostLineBytes], "") + "…"
			}
		}
	}
	return r
}

// mostBytes bounds a message, in bytes.
const mostBytes = 1 << 16

var errVerb = errors.New("a request for nothing that the keeper does")

// parseRequest reads a message from sluice run, which strangers may have taken over.
func parseRequest(text []byte) (Request, error) {
	var r Request
	if err := decode(text, &r); err != nil {
		return Request{}, err
	}
	switch r.Do {
	case Divert, Open, Leave, Remove, Look, Arrivals:
		return r, nil
	}
	return Request{}, errVerb
}

// decode reads one JSON value with known fields alone, and nothing after it.
func decode(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if decoder.More() {
		return fmt.Errorf("%d bytes follow the message", int64(len(text))-decoder.InputOffset())
	}
	return nil
}
