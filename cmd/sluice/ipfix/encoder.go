package ipfix

import (
	"encoding/binary"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"sluice/redir/record"
)

const (
	// messageBytes is how long a message becomes: what every path carries in one
	// packet (IPv6, whose least MTU is 1280; RFC 8200 section 5).
	messageBytes = 1280 - 40 - 8
	headerBytes  = 16
	setBytes     = 4 // the header of a set
	version      = 10
)

// Encoder makes messages. The zero value is a domain's that has said nothing yet.
type Encoder struct {
	Domain uint32
	Wall   func(ns int64) time.Time // the time of day at a time of Reactor.Now

	sequence uint32 // records of the messages before
	message  []byte
	set      int    // where the last set begins; 0: there is none
	template uint16 // of that set
	records  int    // in the message
}

// Templates begins a message with the templates; the one before must be taken.
func (e *Encoder) Templates() {
	e.begin()
	e.message = appendTemplates(e.message)
}

// Append adds a record, and reports whether there was room.
func (e *Encoder) Append(r *record.Record) bool {
	e.begin()
	l := layout{isUDP: r.ID.IsSession(), is6: is6(r)}
	more := l.size()
	isNew := e.set == 0 || e.template != l.template()
	if isNew {
		more += setBytes
	}
	if len(e.message)+more > messageBytes {
		return false
	}
	if isNew {
		e.endSet()
		e.set, e.template = len(e.message), l.template()
		e.message = binary.BigEndian.AppendUint16(e.message, e.template)
		e.message = binary.BigEndian.AppendUint16(e.message, 0)
	}
	e.record(l, r)
	e.records++
	return true
}

func (e *Encoder) begin() {
	if len(e.message) == 0 {
		e.message = append(e.message, make([]byte, headerBytes)...)
	}
}

func (e *Encoder) endSet() {
	if e.set > 0 {
		binary.BigEndian.PutUint16(e.message[e.set+2:], uint16(len(e.message)-e.set))
	}
}

// Take ends the message, and returns it with how many records it has; nil where
// there is none. It is valid until something is appended.
func (e *Encoder) Take(now time.Time) (message []byte, records int) {
	if len(e.message) == 0 {
		return nil, 0
	}
	e.endSet()
	binary.BigEndian.PutUint16(e.message[0:], version)
	binary.BigEndian.PutUint16(e.message[2:], uint16(len(e.message)))
	binary.BigEndian.PutUint32(e.message[4:], uint32(now.Unix()))
	binary.BigEndian.PutUint32(e.message[8:], e.sequence)
	binary.BigEndian.PutUint32(e.message[12:], e.Domain)
	message, records = e.message, e.records
	e.sequence += uint32(records)
	e.message, e.set, e.records = e.message[:0], 0, 0
	return message, records
}

// record appends what layout.elements names.
func (e *Encoder) record(l layout, r *record.Record) {
	b := e.message
	b = binary.BigEndian.AppendUint64(b, uint64(r.ID))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Wall(r.Start).UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Wall(r.Active).UnixMilli()))
	natSource, natDest := beyond(r)
	b = l.appendAddr(b, r.Client)
	b = l.appendAddr(b, r.Dest)
	b = binary.BigEndian.AppendUint16(b, r.Client.Port())
	b = binary.BigEndian.AppendUint16(b, r.Dest.Port())
	b = l.appendAddr(b, natSource)
	b = l.appendAddr(b, natDest)
	b = binary.BigEndian.AppendUint16(b, natSource.Port())
	b = binary.BigEndian.AppendUint16(b, natDest.Port())
	protocol := byte(unix.IPPROTO_TCP)
	if l.isUDP {
		protocol = unix.IPPROTO_UDP
	}
	b = append(b, protocol, endReason(r.Cause))
	b = binary.BigEndian.AppendUint64(b, r.Up.Bytes)
	b = binary.BigEndian.AppendUint64(b, r.Down.Bytes)
	if l.isUDP {
		b = binary.BigEndian.AppendUint64(b, r.Up.Datagrams)
		b = binary.BigEndian.AppendUint64(b, r.Down.Datagrams)
	}
	e.message = b
}

// beyond are the ends of the flow on the far side of sluice. Where there was no
// socket, nothing was translated.
func beyond(r *record.Record) (source, dest netip.AddrPort) {
	source, dest = r.Source, r.Server
	if !source.IsValid() {
		source = r.Client
	}
	if !dest.IsValid() {
		dest = r.Dialed
	}
	if !dest.IsValid() {
		dest = r.Dest
	}
	return source, dest
}

// is6 tells whether one of the record's addresses is IPv6: then all are written so,
// IPv4 as ::ffff:10.0.0.1.
func is6(r *record.Record) bool {
	source, dest := beyond(r)
	for _, a := range [...]netip.AddrPort{r.Client, r.Dest, source, dest} {
		if a.IsValid() && !a.Addr().Unmap().Is4() {
			return true
		}
	}
	return false
}

// appendAddr appends zeros for what is not valid.
func (l layout) appendAddr(b []byte, a netip.AddrPort) []byte {
	addr := a.Addr()
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified()
	}
	if l.is6 {
		bytes := addr.As16()
		return append(b, bytes[:]...)
	}
	bytes := addr.Unmap().As4()
	return append(b, bytes[:]...)
}
