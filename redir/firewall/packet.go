package firewall

import (
	"encoding/binary"
	"net/netip"
)

// Packet is what is known of the packets in mind.
type Packet struct {
	IPv6     bool
	Protocol byte // 6: TCP, 17: UDP
	New      bool // the connection tracker's state; TCP: a SYN
	Reply    bool // to the one who began
	DNAT     bool // redirected

	Untracked bool // kept from the connection tracker

	In, Out Device

	Source      []netip.Prefix // of a client; none: not known
	Destination []netip.Prefix // of replies; none: not known
	Elsewhere   []netip.Prefix // where no packet goes: the gateway's own, multicast
	Ports       []Ports        // destination; none: any

	Mark, ConnMark Word

	FWMark, FWMask uint32 // that leads diverted packets to sluice; no mask: none does
}

// Ports is a range, inclusive.
type Ports struct{ Low, High uint16 }

// Device is an interface. Without a name it is not known which, and NoDevice
// is none.
type Device struct {
	Name  string
	Index int
}

// NoDevice is that of a packet which has none there.
var NoDevice = Device{Index: -1}

// Undiverted are the addresses that no diverted packet goes to, beside the
// gateway's own: rules leave them to the kernel.
func Undiverted() []netip.Prefix {
	var all []netip.Prefix
	for _, text := range []string{"127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "0.0.0.0/32", "::/127", "ff00::/8", "fe80::/10"} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// Word is 32 bits of which some are known.
type Word struct{ Bits, Known uint32 }

// Exactly is a word that is known.
func Exactly(bits uint32) Word { return Word{bits, ^uint32(0)} }

// Is tells how many packets have these bits under the mask.
func (w Word) Is(bits, mask uint32) Amount {
	switch {
	case (w.Bits^bits)&mask&w.Known != 0:
		return None
	case mask&^w.Known == 0:
		return All
	}
	return Some
}

// or is what is known when it is one or the other.
func (w Word) or(o Word) Word {
	known := w.Known & o.Known &^ (w.Bits ^ o.Bits)
	return Word{w.Bits & known, known}
}

// and, xor: as a bitwise expression does, with a known word.
func (w Word) and(mask uint32) Word { return Word{w.Bits & mask, w.Known | ^mask} }

func (w Word) xorWord(o Word) Word {
	known := w.Known & o.Known
	return Word{(w.Bits ^ o.Bits) & known, known}
}

// native are the word's bytes in a register.
func (w Word) native() value {
	v := value{bits: make([]byte, 4), known: make([]byte, 4)}
	binary.NativeEndian.PutUint32(v.bits, w.Bits)
	binary.NativeEndian.PutUint32(v.known, w.Known)
	return v
}

// state is what rules change of a packet.
type state struct {
	mark, connMark Word
	untracked      bool // by notrack
	early          bool // before the connection tracker
	rewritten      Amount
}

func (s state) or(o state) state {
	s.mark, s.connMark = s.mark.or(o.mark), s.connMark.or(o.connMark)
	s.untracked = s.untracked || o.untracked
	s.rewritten = max(s.rewritten, o.rewritten)
	return s
}
