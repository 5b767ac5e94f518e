package rules

import (
	"encoding/binary"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

func socket(t term) []expr.Any {
	load := func(key expr.SocketKey) expr.Any { return &expr.Socket{Key: key, Register: reg} }
	switch t := t.(type) {
	case transparentSocket:
		return []expr.Any{load(expr.SocketKeyTransparent), equal([]byte{1})}
	case wildcardSocket:
		return []expr.Any{load(expr.SocketKeyWildcard), equal([]byte{1})}
	case socketMarkIs:
		return maskedIs(load(expr.SocketKeyMark), t.mark, t.mark)
	default: // handedOver
		return []expr.Any{&expr.Meta{Key: expr.MetaKeySKUID, Register: reg}, unequal(binaryutil.NativeEndian.PutUint32(noUser))}
	}
}

func conntrack(t term) []expr.Any {
	anyOf := func(bits uint32) []expr.Any {
		return []expr.Any{&expr.Ct{Key: expr.CtKeySTATE, Register: reg},
			masked(binaryutil.NativeEndian.PutUint32(bits)), unequal(make([]byte, 4))}
	}
	switch t := t.(type) {
	case ctNew:
		return anyOf(expr.CtStateBitNEW)
	case ctWithout:
		return anyOf(expr.CtStateBitINVALID | expr.CtStateBitNEW | expr.CtStateBitUNTRACKED)
	case ctUnderWay:
		return anyOf(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
	case ctOriginal: // IP_CT_DIR_ORIGINAL
		return []expr.Any{&expr.Ct{Key: expr.CtKeyDIRECTION, Register: reg}, equal([]byte{0})}
	case ctZoneIs:
		return []expr.Any{&expr.Ct{Key: expr.CtKeyZONE, Register: reg}, equal(binary.NativeEndian.AppendUint16(nil, t.zone))}
	case ctMarkIs:
		return maskedIs(&expr.Ct{Key: expr.CtKeyMARK, Register: reg}, t.mark, t.mask)
	case ctLabelIs:
		bits := labelBits(t.label)
		return []expr.Any{&expr.Ct{Key: expr.CtKeyLABELS, Register: reg}, masked(bits), unequal(make([]byte, len(bits)))}
	default: // ctReply; IP_CT_DIR_REPLY is 1
		return []expr.Any{&expr.Ct{Key: expr.CtKeyDIRECTION, Register: reg}, equal([]byte{1})}
	}
}

// labelBits are the 128 bits of a conntrack entry's labels, a bitmap of host
// words, with one label alone.
func labelBits(label int) []byte {
	bits := make([]byte, 16) // NF_CT_LABELS_MAX_SIZE, net/netfilter/nf_conntrack_labels.h
	binary.NativeEndian.PutUint32(bits[label/32*4:], 1<<(label%32))
	return bits
}

// route encodes what asks the routing tables.
func (e *encoder) route(t term) ([]expr.Any, error) {
	switch t := t.(type) {
	case toGateway:
		var elements []nftables.SetElement
		for _, kind := range []uint32{unix.RTN_LOCAL, unix.RTN_BROADCAST, unix.RTN_ANYCAST, unix.RTN_MULTICAST} {
			elements = append(elements, nftables.SetElement{Key: binaryutil.NativeEndian.PutUint32(kind)})
		}
		load := &expr.Fib{Register: reg, ResultADDRTYPE: true, FlagDADDR: true}
		return e.anonymous(load, nftables.Set{KeyType: nftables.TypeFIBAddr}, elements, false)
	case sourceOfOthers:
		return []expr.Any{&expr.Fib{Register: reg, ResultADDRTYPE: true, FlagSADDR: true},
			unequal(binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL))}, nil
	case routeBy:
		load := &expr.Fib{Register: reg, ResultOIFNAME: true, FlagDADDR: true, FlagMARK: t.mark}
		if len(t.names) == 1 {
			return []expr.Any{load, nameIs(t.names[0], t.not)}, nil
		}
		names := ifaceSet("", t.names)
		names.interval = true // without, the library says that the keys are in network order, and nft lists them as ""
		return e.anonymous(load, nftables.Set{KeyType: nftables.TypeIFName, Interval: true}, keysOf(names), t.not)
	default: // routeElsewhere
		return []expr.Any{&expr.Fib{Register: reg, ResultOIF: true, FlagDADDR: true, FlagIIF: true, FlagPRESENT: true}, equal(make([]byte, 4))}, nil
	}
}

// nameIs compares an interface's name, or its beginning with a pattern's.
func nameIs(name string, not bool) expr.Any {
	key := make([]byte, 16) // IFNAMSIZ
	copy(key, name)
	if stem, ok := strings.CutSuffix(name, anyTail); ok {
		key = []byte(stem)
	}
	if not {
		return unequal(key)
	}
	return equal(key)
}

func (e *encoder) icmpError(t icmpError) ([]expr.Any, error) {
	proto, kind := byte(unix.IPPROTO_ICMP), nftables.TypeICMPType
	if t.family == familyIPv6 {
		proto, kind = unix.IPPROTO_ICMPV6, nftables.TypeICMP6Type
	}
	var elements []nftables.SetElement
	for _, known := range icmpErrors[t.family] {
		elements = append(elements, nftables.SetElement{Key: []byte{known.kind}})
	}
	first := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg}, equal([]byte{t.family}),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}, equal([]byte{proto}),
	}
	load := &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1}
	rest, err := e.anonymous(load, nftables.Set{KeyType: kind}, elements, false)
	return append(first, rest...), err
}

func icmpTooBig() []expr.Any {
	const tooBig = 2 // ICMPV6_PKT_TOOBIG
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg}, equal([]byte{familyIPv6}),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}, equal([]byte{unix.IPPROTO_ICMPV6}),
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1}, equal([]byte{tooBig}),
	}
}

// addressIn looks up a family's destination, or its source.
func (e *encoder) addressIn(family byte, source bool, set string, not bool) []expr.Any {
	address := &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}
	if family == familyIPv6 {
		address.Offset, address.Len = 24, 16
	}
	if source {
		address.Offset -= address.Len
	}
	match := []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg}, equal([]byte{family})}
	return append(match, e.lookup(address, set, not)...)
}

func (t endpoint) encode() []expr.Any {
	address := &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}
	port := &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
	family := byte(familyIPv4)
	if t.addr.Addr().Is6() {
		family, address.Offset, address.Len = familyIPv6, 24, 16
	}
	if t.from {
		address.Offset, port.Offset = address.Offset-address.Len, 0
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg}, equal([]byte{family}),
		address, equal(t.addr.Addr().AsSlice()),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}, equal([]byte{t.proto}),
		port, equal(binary.BigEndian.AppendUint16(nil, t.addr.Port())),
	}
}

func (e *encoder) protoNotIn(protos []byte) ([]expr.Any, error) {
	load := &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}
	if len(protos) == 1 {
		return []expr.Any{load, unequal(protos)}, nil
	}
	var elements []nftables.SetElement
	for _, proto := range protos {
		elements = append(elements, nftables.SetElement{Key: []byte{proto}})
	}
	return e.anonymous(load, nftables.Set{KeyType: nftables.TypeInetProto}, elements, true)
}

func (e *encoder) lookup(load expr.Any, name string, not bool) []expr.Any {
	set := e.sets[name]
	return []expr.Any{load, &expr.Lookup{SourceRegister: reg, SetName: set.Name, SetID: set.ID, Invert: not}}
}

// anonymous looks a value up in a constant set that has no name.
func (e *encoder) anonymous(load expr.Any, set nftables.Set, elements []nftables.SetElement, not bool) ([]expr.Any, error) {
	set.Table, set.ID, set.Anonymous, set.Constant = e.table, e.setID(), true, true
	set.Name = "__set%d" // the kernel fills it in (nf_tables_set_alloc_name)
	if err := e.conn.AddSet(&set, elements); err != nil {
		return nil, err
	}
	return []expr.Any{load, &expr.Lookup{SourceRegister: reg, SetName: set.Name, SetID: set.ID, Invert: not}}, nil
}
