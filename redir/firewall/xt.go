package firewall

import (
	"encoding/binary"
)

// What iptables-nft does not translate stays a match or a target of xtables:
// name, revision and the C struct of linux/netfilter/xt_*.h, in the machine's
// byte order.

// info is such a struct. Reads beyond its end are zeros.
type info []byte

func (i info) bytes(at, size int) []byte {
	data := make([]byte, size)
	if at < len(i) {
		copy(data, i[at:])
	}
	return data
}

func (i info) u8(at int) byte    { return i.bytes(at, 1)[0] }
func (i info) u16(at int) uint16 { return binary.NativeEndian.Uint16(i.bytes(at, 2)) }
func (i info) u32(at int) uint32 { return binary.NativeEndian.Uint32(i.bytes(at, 4)) }

func inverted(a Amount, when bool) Amount {
	if when {
		return a.rest()
	}
	return a
}

func anyBit(hit bool) Amount {
	if hit {
		return All
	}
	return None
}

// match is one that some packets meet, unless it is understood.
func (e *evaluation) match(x expression) {
	i, rev := info(find(x.data, attrTargetInfo)), x.number(attrTargetRev)
	switch text(x.data, attrTargetName) {
	case "comment":
	case "conntrack":
		e.condition(e.xtConntrack(i, rev), fieldOther)
	case "state":
		e.condition(anyBit(e.packet.connState(e.now)&i.u32(0) != 0), fieldOther)
	case "mark":
		e.condition(inverted(e.now.mark.Is(i.u32(0), i.u32(4)), i.u8(8) != 0), fieldOther)
	case "connmark":
		e.unless(e.now.early || e.now.untracked)
		e.condition(inverted(e.now.connMark.Is(i.u32(0), i.u32(4)), i.u8(8) != 0), fieldOther)
	case "limit", "hashlimit", "connlimit", "recent", "quota":
		e.limit = true
		e.condition(Some, fieldOther)
	case "socket":
		const noWildcard = 2
		if e.packet.New && e.packet.Protocol == protoTCP && (rev == 0 || i.u8(0)&noWildcard == 0) {
			e.amount = None
		}
	case "tcp":
		e.xtPorts(i)
		const maskAt, wantAt, invertAt, invertFlags = 9, 10, 11, 4
		e.tcpFlags(i.u8(maskAt), i.u8(wantAt), i.u8(invertAt)&invertFlags != 0)
	case "udp":
		e.xtPorts(i)
	case "multiport":
		e.multiport(i)
	case "addrtype":
		e.addrtype(i)
	case "pkttype":
		e.condition(inverted(anyBit(i.u32(0) == 0), i.u32(4) != 0), fieldOther)
	case "rpfilter":
		const invert = 8
		e.condition(inverted(All, i.u8(0)&invert != 0), fieldOther)
	case "physdev":
		e.condition(Few, fieldOther)
	default:
		e.condition(Some, fieldOther)
	}
}

// xtConntrack reads struct xt_conntrack_mtinfo1 to 3.
func (e *evaluation) xtConntrack(i info, rev uint64) Amount {
	const flagsAt, invertAt, stateAt = 146, 148, 150
	const byState, byStatus, byDirection = 1, 0x40, 0x1000
	const dnat, untracked = 128, 256
	flags, invert := i.u16(flagsAt), i.u16(invertAt)
	mask := uint32(i.u16(stateAt))
	status := uint32(i.u16(stateAt + 2))
	if rev == 1 {
		mask, status = uint32(i.u8(stateAt)), uint32(i.u8(stateAt+1))
	}
	a := All
	if flags&byState != 0 {
		state := e.packet.connState(e.now)
		if state == stateUntracked {
			state = untracked
		}
		hit := state&mask != 0 || mask&dnat != 0 && e.packet.DNAT
		a = inverted(anyBit(hit), invert&byState != 0)
	}
	if flags&byStatus != 0 {
		hit := Some
		if status == statusDNAT {
			hit = anyBit(e.packet.DNAT)
		}
		a = min(a, inverted(hit, invert&byStatus != 0))
	}
	if flags&byDirection != 0 { // inverted: the reply's
		a = min(a, anyBit(e.packet.Reply == (invert&byDirection != 0)))
	}
	if flags&^(byState|byStatus|byDirection) != 0 {
		a = min(a, Some)
	}
	return a
}

// xtPorts reads what struct xt_tcp and xt_udp begin with.
func (e *evaluation) xtPorts(i info) {
	const invertTCPAt, invertUDPAt, invertSource, invertDestination = 11, 8, 1, 2
	invert := i.u8(invertUDPAt)
	if e.packet.Protocol == protoTCP {
		invert = i.u8(invertTCPAt)
	}
	for n, f := range []field{fieldSourcePort, fieldPort} {
		low, high := i.u16(4*n), i.u16(4*n+2)
		if low == 0 && high == 0xffff {
			continue
		}
		a := e.port(f, low, high)
		e.condition(inverted(a, invert&[]byte{invertSource, invertDestination}[n] != 0), f)
	}
}

// port tells how many packets have a port of the range.
func (e *evaluation) port(f field, low, high uint16) Amount {
	var r registers
	r.load(1, unknown(2, f))
	a, _ := within(r.cells[:2], binary.BigEndian.AppendUint16(nil, low), binary.BigEndian.AppendUint16(nil, high), e.packet)
	return a
}

func (e *evaluation) tcpFlags(mask, want byte, invert bool) {
	if mask == 0 || e.packet.Protocol != protoTCP {
		return
	}
	flags := e.packet.transportHeader()[13]
	a := All
	switch {
	case (flags.bits^want)&flags.known&mask != 0:
		a = None
	case mask&^flags.known != 0:
		a = Some
	}
	e.condition(inverted(a, invert), fieldOther)
}

// multiport reads struct xt_multiport_v1.
func (e *evaluation) multiport(i info) {
	const countAt, portsAt, most, rangeAt, invertAt = 1, 2, 15, 32, 47
	f := fieldPort
	if i.u8(0) == 0 {
		f = fieldSourcePort
	}
	a := None
	for n := 0; n < min(int(i.u8(countAt)), most); n++ {
		low := i.u16(portsAt + 2*n)
		high := low
		if i.u8(rangeAt+n) != 0 {
			n++
			high = i.u16(portsAt + 2*n)
		}
		a = max(a, e.port(f, low, high))
	}
	e.condition(inverted(a, i.u8(invertAt) != 0), f)
}

// addrtype reads struct xt_addrtype_info_v1: both addresses are such as others
// have.
func (e *evaluation) addrtype(i info) {
	const unicast, invertSource, invertDestination = 1 << addrTypeUnicast, 1, 2
	source, destination, flags := i.u16(0), i.u16(2), i.u32(4)
	if source != 0 {
		e.condition(inverted(anyBit(source&unicast != 0), flags&invertSource != 0), fieldOther)
	}
	if destination != 0 {
		e.condition(inverted(anyBit(destination&unicast != 0), flags&invertDestination != 0), fieldOther)
	}
}

// target is what xtables calls a verdict or a statement.
func (e *evaluation) target(x expression) {
	i := info(find(x.data, attrTargetInfo))
	switch text(x.data, attrTargetName) {
	case "REJECT":
		e.act = "rejects"
	case "NFQUEUE":
		e.act = "queues"
	case "SYNPROXY":
		e.act = "answers itself"
	case "TARPIT", "DELUDE", "CHAOS":
		e.act = "keeps"
	case "DNAT", "NETMAP":
		e.act = "rewrites destinations of"
	case "REDIRECT":
		e.act, e.diverts = "redirects", true
	case "SNAT", "MASQUERADE":
		e.verdict.code = verdictAccept
	case "TPROXY":
		e.diverts, e.verdict.code = true, verdictAccept
		mask, value := i.u32(0), i.u32(4)
		e.change(func(st *state) { st.mark = st.mark.and(^mask).xorWord(Exactly(value)) })
	case "MARK":
		value, mask := i.u32(0), i.u32(4)
		e.change(func(st *state) { st.mark = st.mark.and(^mask).xorWord(Exactly(value)) })
	case "CONNMARK":
		e.connmark(i, x.number(attrTargetRev))
	case "CT", "NOTRACK":
		const notrack = 1
		if i.u16(0)&notrack != 0 || len(i) == 0 {
			e.change(func(st *state) { st.untracked = true })
		}
	case "TCPMSS":
		e.mss = true
	}
}

// connmark reads struct xt_connmark_tginfo1 and 2.
func (e *evaluation) connmark(i info, rev uint64) {
	const set, save, restore = 0, 1, 2
	if e.now.early || e.now.untracked {
		return
	}
	modeAt, shifts := 12, false
	if rev >= 2 {
		const shiftAt = 13
		modeAt, shifts = 14, i.u8(shiftAt) != 0
	}
	mark, mask, packetMask, mode := i.u32(0), i.u32(4), i.u32(8), i.u8(modeAt)
	e.change(func(st *state) {
		from := st.connMark.and(mask)
		switch {
		case shifts && mode == restore:
			st.mark.Known &^= packetMask
		case shifts:
			st.connMark.Known &^= mask
		case mode == set:
			st.connMark = st.connMark.and(^mask).xorWord(Exactly(mark))
		case mode == save:
			st.connMark = st.connMark.and(^mask).xorWord(st.mark.and(packetMask))
		case mode == restore:
			st.mark = st.mark.and(^packetMask).xorWord(from)
		}
		st.mark.Bits &= st.mark.Known
		st.connMark.Bits &= st.connMark.Known
	})
}
