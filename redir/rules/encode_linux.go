package rules

import (
	"encoding/binary"
	"fmt"

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
	case ifaceIs:
		name := make([]byte, 16) // IFNAMSIZ
		copy(name, t.name)
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg}, equal(name)}, nil
	case ifaceNotIn:
		return e.lookup(&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg}, t.set, true), nil
	case protoIs:
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}, equal([]byte{t.proto})}, nil
	case protoNotIn:
		return e.protoNotIn(t.protos)
	case markIs:
		return maskedIs(&expr.Meta{Key: expr.MetaKeyMARK, Register: reg}, t.mark, t.mask, t.not), nil
	case transparentSocket:
		return []expr.Any{
			&expr.Socket{Key: expr.SocketKeyTransparent, Register: reg}, equal([]byte{1}),
			&expr.Socket{Key: expr.SocketKeyWildcard, Register: reg}, equal([]byte{0}),
		}, nil
	case notOpening:
		const flagsAt, finSynRstAck, syn = 13, 0x17, 0x02
		return []expr.Any{
			&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: flagsAt, Len: 1},
			&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 1, Mask: []byte{finSynRstAck}, Xor: []byte{0}},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: []byte{syn}},
		}, nil
	case toGateway:
		return e.toGateway()
	case portNotIn:
		port := &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
		return e.lookup(port, t.set, true), nil
	case destIn:
		return e.destIn(t), nil
	case uidIn:
		return e.lookup(&expr.Meta{Key: expr.MetaKeySKUID, Register: reg}, t.set, false), nil
	case cgroupIs:
		return cgroup(t.path)
	case ctUnderWay, ctReply, ctMarkIs:
		return conntrack(t), nil
	default:
		return statement(t)
	}
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
	case tproxyTo:
		return []expr.Any{port(t.port), &expr.TProxy{Family: unix.NFPROTO_UNSPEC, RegPort: reg}}, nil
	case redirectTo:
		// nft sets the "specified" flag with a port; nft_redir implies it.
		return []expr.Any{port(t.port), &expr.Redir{RegisterProtoMin: reg, Flags: unix.NF_NAT_RANGE_PROTO_SPECIFIED}}, nil
	case countIn:
		return []expr.Any{&expr.Objref{Type: unix.NFT_OBJECT_COUNTER, Name: t.name}}, nil
	case verdict:
		kinds := map[verdict]expr.VerdictKind{accept: expr.VerdictAccept, drop: expr.VerdictDrop, goBack: expr.VerdictReturn}
		return []expr.Any{&expr.Verdict{Kind: kinds[t]}}, nil
	}
	return nil, fmt.Errorf("no kernel form for %q", t.nft())
}

func conntrack(t term) []expr.Any {
	switch t := t.(type) {
	case ctUnderWay:
		bits := binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
		return []expr.Any{
			&expr.Ct{Key: expr.CtKeySTATE, Register: reg},
			&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 4, Mask: bits, Xor: make([]byte, 4)},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: make([]byte, 4)},
		}
	case ctMarkIs:
		return maskedIs(&expr.Ct{Key: expr.CtKeyMARK, Register: reg}, t.mark, t.mask, t.not)
	default: // IP_CT_DIR_REPLY is 1
		return []expr.Any{&expr.Ct{Key: expr.CtKeyDIRECTION, Register: reg}, equal([]byte{1})}
	}
}

func (e *encoder) lookup(load expr.Any, name string, not bool) []expr.Any {
	set := e.sets[name]
	return []expr.Any{load, &expr.Lookup{SourceRegister: reg, SetName: set.Name, SetID: set.ID, Invert: not}}
}

func (e *encoder) destIn(t destIn) []expr.Any {
	address := &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}
	if t.family == familyIPv6 {
		address.Offset, address.Len = 24, 16
	}
	family := []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg}, equal([]byte{t.family})}
	return append(family, e.lookup(address, t.set, t.not)...)
}

func (e *encoder) protoNotIn(protos []byte) ([]expr.Any, error) {
	load := &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}
	if len(protos) == 1 {
		return []expr.Any{load, &expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: protos}}, nil
	}
	var elements []nftables.SetElement
	for _, proto := range protos {
		elements = append(elements, nftables.SetElement{Key: []byte{proto}})
	}
	return e.anonymous(load, nftables.TypeInetProto, elements, true)
}

func (e *encoder) toGateway() ([]expr.Any, error) {
	var elements []nftables.SetElement
	for _, kind := range []uint32{unix.RTN_LOCAL, unix.RTN_BROADCAST, unix.RTN_ANYCAST, unix.RTN_MULTICAST} {
		elements = append(elements, nftables.SetElement{Key: binaryutil.NativeEndian.PutUint32(kind)})
	}
	load := &expr.Fib{Register: reg, ResultADDRTYPE: true, FlagDADDR: true}
	return e.anonymous(load, nftables.TypeFIBAddr, elements, false)
}

// anonymous looks a value up in a constant set that has no name.
func (e *encoder) anonymous(load expr.Any, kind nftables.SetDatatype, elements []nftables.SetElement, not bool) ([]expr.Any, error) {
	set := &nftables.Set{Table: e.table, Anonymous: true, Constant: true, KeyType: kind}
	if err := e.conn.AddSet(set, elements); err != nil {
		return nil, err
	}
	return []expr.Any{load, &expr.Lookup{SourceRegister: reg, SetName: set.Name, SetID: set.ID, Invert: not}}, nil
}

func equal(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: reg, Data: data} }

func port(number uint16) expr.Any {
	return &expr.Immediate{Register: reg, Data: binary.BigEndian.AppendUint16(nil, number)}
}

func maskedIs(load expr.Any, mark, mask uint32, not bool) []expr.Any {
	exprs := []expr.Any{load}
	if mask != allBits {
		exprs = append(exprs, &expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 4,
			Mask: binaryutil.NativeEndian.PutUint32(mask), Xor: make([]byte, 4)})
	}
	op := expr.CmpOpEq
	if not {
		op = expr.CmpOpNeq
	}
	return append(exprs, &expr.Cmp{Op: op, Register: reg, Data: binaryutil.NativeEndian.PutUint32(mark)})
}

func maskedSetting(load, store expr.Any, mark, mask uint32) []expr.Any {
	value := binaryutil.NativeEndian.PutUint32(mark)
	if mask == allBits {
		return []expr.Any{&expr.Immediate{Register: reg, Data: value}, store}
	}
	return []expr.Any{load, &expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 4,
		Mask: binaryutil.NativeEndian.PutUint32(^mask), Xor: value}, store}
}
