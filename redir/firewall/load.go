package firewall

import (
	"encoding/binary"
	"net/netip"
)

// Keys of meta, ct and socket expressions (linux/netfilter/nf_tables.h).
const (
	metaProtocol, metaMark, metaIif, metaOif, metaIifname, metaOifname = 1, 3, 4, 5, 6, 7
	metaNfproto, metaL4proto, metaBridge, metaBridgeOut, metaPkttype   = 15, 16, 17, 18, 19
	ctState, ctDirection, ctStatus, ctMark                             = 0, 1, 2, 3
	ctL3proto, ctSrc, ctDst, ctProtocol, ctProtoSrc, ctProtoDst        = 7, 8, 9, 10, 11, 12
	ctSrcIP, ctDstIP6                                                  = 19, 22
	socketTransparent, socketWildcard                                  = 0, 2
	interfaceName                                                      = 16 // IFNAMSIZ
)

// number32 is a number as the kernel has it in a register.
func number32(n uint32) value { return exactly(binary.NativeEndian.AppendUint32(nil, n)...) }

// meta is what a meta expression loads; false: it ends the rule.
func (p *Packet) meta(key uint64, st *state, hook Hook) (value, bool) {
	switch key {
	case metaProtocol:
		if p.IPv6 {
			return exactly(0x86, 0xdd), true
		}
		return exactly(0x08, 0x00), true
	case metaNfproto:
		if p.IPv6 {
			return exactly(familyIPv6), true
		}
		return exactly(familyIPv4), true
	case metaL4proto:
		return exactly(p.Protocol), true
	case metaMark:
		return st.mark.native(), true
	case metaIif:
		return p.In.index(), true
	case metaOif:
		return p.out(hook).index(), true
	case metaIifname:
		return p.In.name(), true
	case metaOifname:
		return p.out(hook).name(), true
	case metaPkttype:
		return exactly(0), true // PACKET_HOST
	case metaBridge, metaBridgeOut:
		return value{}, false
	}
	return unknown(interfaceName, fieldOther), true
}

// out is the interface that it leaves by; before it is routed, none.
func (p *Packet) out(hook Hook) Device {
	if hook == Prerouting || hook == Input {
		return NoDevice
	}
	return p.Out
}

func (d Device) name() value {
	if d.Name == "" && d != NoDevice {
		return unknown(interfaceName, fieldOther)
	}
	name := make([]byte, interfaceName)
	copy(name, d.Name)
	return exactly(name...)
}

func (d Device) index() value {
	switch {
	case d == NoDevice:
		return number32(0)
	case d.Index == 0:
		return unknown(4, fieldOther)
	}
	return number32(uint32(d.Index))
}

// connState is the connection tracker's state, as bits.
func (p *Packet) connState(st *state) uint32 {
	switch {
	case st.untracked:
		return stateUntracked
	case st.early: // no entry yet (nft_ct_get_eval)
		return stateInvalid
	case p.New:
		return stateNew
	}
	return stateEstablished
}

// conntrack is what a ct expression loads.
func (p *Packet) conntrack(key uint64, st *state) (value, bool) {
	state := p.connState(st)
	if key == ctState {
		return number32(state), true
	}
	if state == stateUntracked || state == stateInvalid {
		return value{}, false
	}
	switch key {
	case ctDirection:
		if p.Reply {
			return exactly(1), true
		}
		return exactly(0), true
	case ctStatus:
		status := Word{0, statusDNAT}
		if p.DNAT {
			status.Bits = statusDNAT
		} else if st.rewritten != None {
			status.Known = 0
		}
		return status.native(), true
	case ctMark:
		return st.connMark.native(), true
	case ctL3proto:
		v, ok := p.meta(metaNfproto, st, NoHook)
		return v, ok
	case ctProtocol:
		return exactly(p.Protocol), true
	case ctProtoSrc:
		return unknown(2, fieldSourcePort), true
	case ctProtoDst:
		return unknown(2, fieldPort), true
	case ctSrc, ctDst, ctSrcIP, ctSrcIP + 1, ctSrcIP + 2, ctDstIP6:
		return unknown(16, fieldSource), true
	}
	return unknown(interfaceName, fieldOther), true
}

// Bases of payload expressions.
const baseNetwork, baseTransport = 1, 2

// payload is what a payload expression loads.
func (p *Packet) payload(base, offset, size uint64) (value, bool) {
	if size == 0 || size > registerBytes {
		return value{}, false
	}
	header := p.networkHeader()
	switch base {
	case baseTransport:
		header = p.transportHeader()
	case baseNetwork:
	default:
		return unknown(int(size), fieldOther), true
	}
	v := unknown(int(size), fieldOther)
	for i := range v.bits {
		if at := offset + uint64(i); at < uint64(len(header)) {
			v.bits[i], v.known[i] = header[at].bits, header[at].known
			if i == 0 {
				v.field = header[at].field
			}
		}
	}
	return v, true
}

// networkHeader is an IPv4 header (RFC 791) or that of IPv6 (RFC 8200).
func (p *Packet) networkHeader() []cell {
	protocolAt, sourceAt, size := 9, 12, 4
	if p.IPv6 {
		protocolAt, sourceAt, size = 6, 8, 16
	}
	header := make([]cell, sourceAt+2*size)
	header[protocolAt] = cell{bits: p.Protocol, known: 0xff}
	if !p.IPv6 {
		header[0] = cell{bits: 0x45, known: 0xff}
		header[6] = cell{known: 0x3f} // no fragment, conntrack has seen to that
		header[7] = cell{known: 0xff}
	}
	address(header[sourceAt:sourceAt+size], fieldSource, p.Source)
	address(header[sourceAt+size:], fieldDestination, p.Destination)
	return header
}

// address is what all the networks have in common.
func address(cells []cell, f field, networks []netip.Prefix) {
	isFirst := true
	for _, n := range networks {
		addr := n.Masked().Addr().AsSlice()
		if len(addr) != len(cells) {
			continue
		}
		for i := range cells {
			known := byte(0xff << max(0, min(8, 8*(i+1)-n.Bits())))
			if isFirst {
				cells[i].bits, cells[i].known = addr[i], known
				continue
			}
			cells[i].known &= known &^ (cells[i].bits ^ addr[i])
			cells[i].bits &= cells[i].known
		}
		isFirst = false
	}
	for i := range cells {
		cells[i].field = f
	}
}

// transportHeader is as much as TCP's (RFC 9293) and UDP's have in common,
// and TCP's flags.
func (p *Packet) transportHeader() []cell {
	const ports, flagsAt, syn, ack, psh = 4, 13, 0x02, 0x10, 0x08
	header := make([]cell, 20)
	header[0].field, header[1].field = fieldSourcePort, fieldSourcePort
	header[2].field, header[3].field = fieldPort, fieldPort
	if p.Protocol != protoTCP {
		return header[:8]
	}
	switch {
	case p.New:
		header[flagsAt] = cell{bits: syn, known: 0x3f}
	default:
		header[flagsAt] = cell{bits: ack, known: 0x3f &^ psh}
	}
	return header
}

// socket is what a socket expression loads, while sluice listens and nobody
// else does: a packet that begins something finds the listener, which has no
// address of its own, and another finds its connection.
func (p *Packet) socket(key uint64) value {
	switch {
	case key == socketTransparent:
		return exactly(1)
	case key == socketWildcard && (p.New || p.Protocol == protoUDP):
		return exactly(1)
	case key == socketWildcard:
		return exactly(0)
	}
	return unknown(8, fieldOther)
}

// fib is what a fib expression loads: the type of the destination is that of
// an address elsewhere, the way back to a client is by where it came from.
func (p *Packet) fib(result, flags uint64) value {
	const resultOif, resultName, resultType = 1, 2, 3
	const flagSource, flagDestination, flagOif, flagPresent = 1, 2, 16, 32
	switch {
	case flags&flagPresent != 0:
		return exactly(1)
	case result == resultType && flags&(flagSource|flagDestination) != 0:
		return number32(addrTypeUnicast)
	case flags&flagSource == 0:
		return unknown(interfaceName, fieldOther)
	case result == resultOif:
		return p.In.index()
	case result == resultName:
		return p.In.name()
	}
	return unknown(interfaceName, fieldOther)
}
