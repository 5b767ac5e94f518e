package firewall

import (
	"bytes"
	"net/netip"
)

// registerBytes is the room of the data registers (NFT_REG32_COUNT of 4).
const registerBytes = 64

// field is what a register's byte was loaded from, as far as that matters.
type field uint8

const (
	fieldOther field = iota
	fieldSource
	fieldDestination
	fieldSourcePort
	fieldPort
)

// narrow tells whether one value among those that it may have is few.
func (f field) narrow() bool { return f != fieldOther }

// value is some bytes of which some bits are known.
type value struct {
	bits, known []byte
	field       field
}

func exactly(data ...byte) value {
	return value{bits: data, known: bytes.Repeat([]byte{0xff}, len(data))}
}

func unknown(size int, f field) value {
	return value{bits: make([]byte, size), known: make([]byte, size), field: f}
}

// cell is a byte of a register. Bytes of one load are compared as one number.
type cell struct {
	bits, known byte
	field       field
	load        uint8
}

type registers struct {
	cells [registerBytes]cell
	loads uint8
}

// place is where a register begins (nft_parse_register).
func place(register uint64) (int, bool) {
	switch {
	case register >= 1 && register <= 4:
		return int(register-1) * 16, true
	case register >= 8 && register < 24:
		return int(register-8) * 4, true
	}
	return 0, false
}

// load fills a register, the rest of its last 4 bytes with zeros.
func (r *registers) load(register uint64, v value) {
	at, ok := place(register)
	if !ok {
		return
	}
	r.loads++
	for i := range min(len(v.bits), registerBytes-at) {
		r.cells[at+i] = cell{v.bits[i] & v.known[i], v.known[i], v.field, r.loads}
	}
	for end := at + len(v.bits); end%4 != 0 && end < registerBytes; end++ {
		r.cells[end] = cell{known: 0xff}
	}
}

// clobber forgets all: an expression that is not understood may have written
// any of them.
func (r *registers) clobber() {
	for i := range r.cells {
		r.cells[i] = cell{}
	}
}

// at are so many bytes of a register; nil: there are not so many.
func (r *registers) at(register uint64, size int) []cell {
	at, ok := place(register)
	if !ok || size <= 0 || at+size > registerBytes {
		return nil
	}
	return r.cells[at : at+size]
}

// within tells how many packets have a value from lo to hi there, each field
// of a concatenation for itself, and the field that few have, if few do.
func within(cells []cell, lo, hi []byte, p *Packet) (amount Amount, by field) {
	amount = All
	for len(cells) > 0 && len(lo) == len(cells) && len(hi) == len(cells) {
		run := 1
		for run < len(cells) && cells[run].load == cells[0].load {
			run++
		}
		if a := runWithin(cells[:run], lo[:run], hi[:run], p); a < amount {
			amount, by = a, cells[0].field
		}
		cells, lo, hi = cells[run:], lo[run:], hi[run:]
	}
	return amount, by
}

func runWithin(cells []cell, lo, hi []byte, p *Packet) Amount {
	least, most, masked := make([]byte, len(cells)), make([]byte, len(cells)), make([]byte, len(cells))
	isSame, conflicts, free := bytes.Equal(lo, hi), false, 0
	for i, c := range cells {
		least[i], most[i], masked[i] = c.bits, c.bits|^c.known, hi[i]|c.known
		conflicts = conflicts || (c.bits^lo[i])&c.known != 0
		for b := ^c.known; b != 0; b &= b - 1 {
			free++
		}
	}
	f := cells[0].field
	switch {
	case bytes.Compare(most, lo) < 0 || bytes.Compare(least, hi) > 0 || isSame && conflicts:
		return None
	case bytes.Compare(least, lo) >= 0 && bytes.Compare(most, hi) <= 0:
		return All
	case f == fieldPort && len(cells) >= 2 && free == 16:
		return p.ports(lo, hi)
	case f == fieldDestination && !isSame && p.goesElsewhere(lo, hi), f == fieldDestination && isSame && p.goesElsewhere(lo, masked):
		return None
	case !f.narrow() || isSame && free <= 2:
		return Some
	case isSame:
		return Few
	}
	return min(max(share(float(hi)-float(lo)+1, float(most)-float(least)+1), Few), Most)
}

func float(data []byte) (f float64) {
	for _, b := range data {
		f = f*256 + float64(b)
	}
	return f
}

// ports tells how many packets go to these destination ports. Of packets to
// any port, those of the web are some, though theirs are but two.
func (p *Packet) ports(lo, hi []byte) Amount {
	low, high := int(lo[0])<<8|int(lo[1]), int(hi[0])<<8|int(hi[1])
	if len(p.Ports) == 0 {
		a := min(max(share(float64(high-low+1), 65535), Few), Most)
		if a == Few && (low <= 443 && 443 <= high || p.Protocol == protoTCP && low <= 80 && 80 <= high) {
			return Some
		}
		return a
	}
	part, whole := 0, 0
	for _, r := range p.Ports {
		whole += int(r.High) - int(r.Low) + 1
		part += max(0, min(high, int(r.High))-max(low, int(r.Low))+1)
	}
	if part == 0 || part >= whole {
		return share(float64(part), float64(whole))
	}
	return Some
}

// goesElsewhere tells whether the addresses are all such that no packet in
// mind goes there.
func (p *Packet) goesElsewhere(lo, hi []byte) bool {
	first, ok1 := netip.AddrFromSlice(padded(lo, p.IPv6, 0))
	last, ok2 := netip.AddrFromSlice(padded(hi, p.IPv6, 0xff))
	if !ok1 || !ok2 {
		return false
	}
	for _, prefix := range p.Elsewhere {
		if prefix.Contains(first) && prefix.Contains(last) {
			return true
		}
	}
	return false
}

// padded is an address of which nft loaded the bytes of a prefix alone.
func padded(address []byte, ipv6 bool, with byte) []byte {
	size := 4
	if ipv6 {
		size = 16
	}
	whole := bytes.Repeat([]byte{with}, size)
	copy(whole, address)
	return whole
}
