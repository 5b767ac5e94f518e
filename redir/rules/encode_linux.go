package rules

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// reg is the register that every term uses; none outlives its term.
const reg = unix.NFT_REG_1

// encoder turns a table into messages of one batch.
type encoder struct {
	conn  *nftables.Conn
	table *nftables.Table
	sets  map[string]*nftables.Set
	last  uint32 // id of a set, by which the transaction's rules know it
}

// setID is the next set's: the library's own are one count for all goroutines,
// without a lock.
func (e *encoder) setID() uint32 {
	e.last++
	return e.last
}

// rule is a rule's expressions and its user data (the comment).
func (e *encoder) rule(terms []term) ([]expr.Any, []byte, error) {
	var exprs []expr.Any
	var comment []byte
	for _, t := range terms {
		if c, ok := t.(commentTerm); ok {
			comment = commentData(string(c))
			continue
		}
		next, err := e.term(t)
		if err != nil {
			return nil, nil, err
		}
		exprs = append(exprs, next...)
	}
	return exprs, comment, nil
}

// term is one term's expressions, as nft itself compiles its text
// (nft --debug=netlink shows them).
func (e *encoder) term(t term) ([]expr.Any, error) {
	switch t := t.(type) {
	case ifaceIs, ifaceIn, ifaceNotIn, outIs, outIn, outNotIn:
		return e.iface(t), nil
	case protoIs:
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}, equal([]byte{t.proto})}, nil
	case familyIs:
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg}, equal([]byte{t.family})}, nil
	case protoNotIn:
		return e.protoNotIn(t.protos)
	case markIs:
		return maskedIs(&expr.Meta{Key: expr.MetaKeyMARK, Register: reg}, t.mark, t.mask), nil
	case notOpening:
		return append(handshakeFlags(), unequal([]byte{flagSYN})), nil
	case synAck:
		return append(handshakeFlags(), equal([]byte{flagSYN | flagACK})), nil
	case icmpError:
		return e.icmpError(t)
	case tooBig6:
		return icmpTooBig(), nil
	case tooBig6OfUDP:
		inner := &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: innerProtoAt, Len: 1}
		return append(icmpTooBig(), inner, equal([]byte{protoUDP})), nil
	case portNotIn:
		port := &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
		return e.lookup(port, t.set, true), nil
	case portIn:
		port := &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
		if t.source {
			port.Offset = 0
		}
		return e.lookup(port, t.set, false), nil
	case endpoint:
		return t.encode(), nil
	case destIn:
		return e.addressIn(t.family, false, t.set, t.not), nil
	case sourceIn:
		return e.addressIn(t.family, true, t.set, false), nil
	case flowIn:
		set := e.sets[t.set]
		return append(flow(t.family, false), &expr.Lookup{SourceRegister: reg, SetName: set.Name, SetID: set.ID}), nil
	case noteFlow:
		set := e.sets[t.set]
		return append(flow(t.family, t.changed), &expr.Dynset{SrcRegKey: reg, SetName: set.Name, SetID: set.ID, Operation: unix.NFT_DYNSET_OP_UPDATE}), nil
	case uidIn:
		return e.lookup(&expr.Meta{Key: expr.MetaKeySKUID, Register: reg}, t.set, false), nil
	case cgroupIs:
		return cgroup(t.path)
	case toGateway, sourceOfOthers, routeBy, routeElsewhere:
		return e.route(t)
	case transparentSocket, wildcardSocket, handedOver, socketMarkIs:
		return socket(t), nil
	case ctNew, ctWithout, ctUnderWay, ctReply, ctOriginal, ctZoneIs, ctMarkIs, ctLabelIs:
		return conntrack(t), nil
	default:
		return statement(t)
	}
}

// iface encodes the terms that ask for an interface.
func (e *encoder) iface(t term) []expr.Any {
	in, out := &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg}, &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: reg}
	switch t := t.(type) {
	case ifaceIs:
		return []expr.Any{in, nameIs(t.name, t.not)}
	case ifaceIn:
		return e.lookup(in, t.set, false)
	case ifaceNotIn:
		return e.lookup(in, t.set, true)
	case outIs:
		return []expr.Any{out, nameIs(t.name, false)}
	case outIn:
		return e.lookup(out, t.set, false)
	case outNotIn:
		return e.lookup(out, t.set, true)
	}
	return nil
}

// statement encodes the terms that do something.
func statement(t term) ([]expr.Any, error) {
	switch t := t.(type) {
	case setMark:
		return maskedSetting(&expr.Meta{Key: expr.MetaKeyMARK, Register: reg},
			&expr.Meta{Key: expr.MetaKeyMARK, Register: reg, SourceRegister: true}, t.mark, t.mask), nil
	case setCtMark:
		return maskedSetting(&expr.Ct{Key: expr.CtKeyMARK, Register: reg},
			&expr.Ct{Key: expr.CtKeyMARK, Register: reg, SourceRegister: true}, t.mark, t.mask), nil
	case setCtLabel:
		return []expr.Any{&expr.Immediate{Register: reg, Data: labelBits(t.label)},
			&expr.Ct{Key: expr.CtKeyLABELS, Register: reg, SourceRegister: true}}, nil
	case setZone:
		return []expr.Any{&expr.Immediate{Register: reg, Data: binary.NativeEndian.AppendUint16(nil, t.zone)},
			&expr.Ct{Key: expr.CtKeyZONE, Register: reg, SourceRegister: true}}, nil
	case tproxyAt:
		const portReg = unix.NFT_REG_2
		return []expr.Any{&expr.Immediate{Register: reg, Data: returnAddrs[t.family].AsSlice()},
			&expr.Immediate{Register: portReg, Data: binary.BigEndian.AppendUint16(nil, t.port)},
			&expr.TProxy{Family: t.family, RegAddr: reg, RegPort: portReg}}, nil
	case tproxyTo:
		return []expr.Any{port(t.port), &expr.TProxy{Family: unix.NFPROTO_UNSPEC, RegPort: reg}}, nil
	case redirectTo:
		// nft sets the "specified" flag with a port; nft_redir implies it.
		return []expr.Any{port(t.port), &expr.Redir{RegisterProtoMin: reg, Flags: unix.NF_NAT_RANGE_PROTO_SPECIFIED}}, nil
	case noTrack:
		return []expr.Any{&expr.Notrack{}}, nil
	case countIn:
		return []expr.Any{&expr.Objref{Type: unix.NFT_OBJECT_COUNTER, Name: t.name}}, nil
	case jump:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: string(t)}}, nil
	case goTo:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictGoto, Chain: string(t)}}, nil
	case verdict:
		kinds := map[verdict]expr.VerdictKind{accept: expr.VerdictAccept, drop: expr.VerdictDrop, goBack: expr.VerdictReturn}
		return []expr.Any{&expr.Verdict{Kind: kinds[t]}}, nil
	}
	return nil, fmt.Errorf("no kernel form for %q", t.nft())
}

// Flags of TCP (RFC 9293 section 3.1).
const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// handshakeFlags loads those that tell what opens a connection.
func handshakeFlags() []expr.Any {
	const flagsAt = 13
	return []expr.Any{
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: flagsAt, Len: 1},
		masked([]byte{flagFIN | flagSYN | flagRST | flagACK}),
	}
}

// flow loads a packet's addresses and ports one behind the other, its source
// first, or its destination: into registers of 4 bytes each, whose first 4 are
// reg (linux/netfilter/nf_tables.h, enum nft_registers).
func flow(family byte, changed bool) []expr.Any {
	addr, size, registers := uint32(12), uint32(4), []uint32{reg, unix.NFT_REG32_01, unix.NFT_REG32_02, unix.NFT_REG32_03}
	if family == familyIPv6 {
		addr, size, registers = 8, 16, []uint32{reg, unix.NFT_REG_2, unix.NFT_REG32_05, unix.NFT_REG32_09}
	}
	addrs, ports := []uint32{addr, addr + size}, []uint32{0, 2}
	if changed {
		slices.Reverse(addrs)
		slices.Reverse(ports)
	}
	var exprs []expr.Any
	for end := range 2 {
		exprs = append(exprs,
			&expr.Payload{DestRegister: registers[2*end], Base: expr.PayloadBaseNetworkHeader, Offset: addrs[end], Len: size},
			&expr.Payload{DestRegister: registers[2*end+1], Base: expr.PayloadBaseTransportHeader, Offset: ports[end], Len: 2})
	}
	return exprs
}

func equal(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: reg, Data: data} }

func unequal(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: data} }

func port(number uint16) expr.Any {
	return &expr.Immediate{Register: reg, Data: binary.BigEndian.AppendUint16(nil, number)}
}

func maskedIs(load expr.Any, mark, mask uint32) []expr.Any {
	exprs := []expr.Any{load}
	if mask != allBits {
		exprs = append(exprs, masked(binaryutil.NativeEndian.PutUint32(mask)))
	}
	return append(exprs, equal(binaryutil.NativeEndian.PutUint32(mark)))
}

func maskedSetting(load, store expr.Any, mark, mask uint32) []expr.Any {
	value := binaryutil.NativeEndian.PutUint32(mark)
	if mask == allBits {
		return []expr.Any{&expr.Immediate{Register: reg, Data: value}, store}
	}
	return []expr.Any{load, &expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 4,
		Mask: binaryutil.NativeEndian.PutUint32(^mask), Xor: value}, store}
}

// masked leaves the bits of the mask.
func masked(mask []byte) expr.Any {
	return &expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: uint32(len(mask)), Mask: mask, Xor: make([]byte, len(mask))}
}
