package ipfix

import "encoding/binary"

// element is an information element (iana.org/assignments/ipfix) of so many bytes.
type element struct {
	id      uint16
	length  uint16
	reverse bool
}

// reverseEnterprise is that of elements of the way back (RFC 5103 section 6.1).
const reverseEnterprise = 29305

// layout tells templates apart: the family of a flow's addresses, and its network.
type layout struct{ is6, isUDP bool }

// firstTemplate is the least number that a template may have (RFC 7011 section 3.4.1).
const firstTemplate = 256

func (l layout) template() uint16 {
	id := uint16(firstTemplate)
	if l.is6 {
		id++
	}
	if l.isUDP {
		id += 2
	}
	return id
}

// layouts are all there are.
func layouts() []layout {
	return []layout{{false, false}, {true, false}, {false, true}, {true, true}}
}

// elements are in the order in which Encoder.record writes them.
func (l layout) elements() []element {
	source, dest, natSource, natDest, length := uint16(8), uint16(12), uint16(225), uint16(226), uint16(4)
	if l.is6 {
		source, dest, natSource, natDest, length = 27, 28, 281, 282, 16
	}
	all := []element{
		{id: 148, length: 8},            // flowId
		{id: 152, length: 8},            // flowStartMilliseconds
		{id: 153, length: 8},            // flowEndMilliseconds
		{id: source, length: length},    // sourceIPv4Address, sourceIPv6Address
		{id: dest, length: length},      // destination…
		{id: 7, length: 2},              // sourceTransportPort
		{id: 11, length: 2},             // destinationTransportPort
		{id: natSource, length: length}, // postNATSource…
		{id: natDest, length: length},   // postNATDestination…
		{id: 227, length: 2},            // postNAPTSourceTransportPort
		{id: 228, length: 2},            // postNAPTDestinationTransportPort
		{id: 4, length: 1},              // protocolIdentifier
		{id: 136, length: 1},            // flowEndReason
		{id: 1, length: 8},              // octetDeltaCount
		{id: 1, length: 8, reverse: true},
	}
	if l.isUDP {
		all = append(all,
			element{id: 2, length: 8}, // packetDeltaCount
			element{id: 2, length: 8, reverse: true})
	}
	return all
}

// size is that of a record, in bytes: what its elements have together.
func (l layout) size() int {
	addresses, packets := 4*4, 0
	if l.is6 {
		addresses = 4 * 16
	}
	if l.isUDP {
		packets = 2 * 8
	}
	return 3*8 + addresses + 4*2 + 2*1 + 2*8 + packets
}

// appendTemplates appends the set of all templates.
func appendTemplates(b []byte) []byte {
	const templateSet = 2
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, templateSet)
	b = binary.BigEndian.AppendUint16(b, 0) // length, below
	for _, l := range layouts() {
		elements := l.elements()
		b = binary.BigEndian.AppendUint16(b, l.template())
		b = binary.BigEndian.AppendUint16(b, uint16(len(elements)))
		for _, e := range elements {
			if !e.reverse {
				b = binary.BigEndian.AppendUint16(b, e.id)
				b = binary.BigEndian.AppendUint16(b, e.length)
				continue
			}
			b = binary.BigEndian.AppendUint16(b, e.id|1<<15)
			b = binary.BigEndian.AppendUint16(b, e.length)
			b = binary.BigEndian.AppendUint32(b, reverseEnterprise)
		}
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}
