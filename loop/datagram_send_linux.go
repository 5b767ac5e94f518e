package loop

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Envelope is where a datagram goes, and whence.
type Envelope struct {
	Dest      netip.AddrPort
	DestScope uint32 // interface index of a link-local destination, else 0
	// Source is the address that the datagram bears, not valid for the socket's
	// own. Another one than the machine's needs a transparent socket (ip(7)).
	Source netip.Addr
	// SourceScope is the interface to send by, which a link-local source needs.
	SourceScope uint32
	TOS         uint8 // type of service, or traffic class; 0: the socket's own
	Connected   bool  // the socket is connected with Dest, so that the kernel need not be told, nor look for the way again
}

// prefixedRuns is for how many of the longest runs of PushPrefix a batch has room:
// enough to make little of what a call costs.
const prefixedRuns = 8

// SendBatch gathers datagrams and sends them by one system call: those of one
// socket with Send, those of many with Seal and SendSealed. Consecutive
// ones to one destination leave as one message, which the kernel cuts
// (UDP_SEGMENT): no payload is copied, so each must stay as it is until it is sent.
// It belongs to one reactor.
type SendBatch struct {
	headers   []mmsghdr
	runs      []run
	envelopes []Envelope
	names     [][SockaddrSize]byte
	control   [][sendControl]byte
	firstIov  []int // of each message
	iovs      []unix.Iovec
	n, iovn   int

	parcels []parcel
	waiting int // parcels

	single   mmsghdr // scratch of resend
	scrap    unix.Iovec
	transmit func(fd int, headers []mmsghdr) (int, syscall.Errno)
}

// SendResult is what became of a batch.
type SendResult struct {
	Datagrams, Bytes int // handed to the kernel
	Dropped          int // datagrams
	// Errno is why the first dropped one was, and Failed where it should have
	// gone; 0 when none was dropped.
	Errno  syscall.Errno
	Failed Envelope
}

// NewSendBatch makes a batch of up to n messages of up to n payloads in all.
func NewSendBatch(n int) *SendBatch {
	b := &SendBatch{
		headers:   make([]mmsghdr, n),
		runs:      make([]run, n),
		envelopes: make([]Envelope, n),
		names:     make([][SockaddrSize]byte, n),
		control:   make([][sendControl]byte, n),
		firstIov:  make([]int, n),
		iovs:      make([]unix.Iovec, n+1+prefixedRuns*2*maxSegments), // a payload may have a prefix
		parcels:   make([]parcel, 0, n),
		transmit:  sendDatagrams,
	}
	return b
}

// Len is the number of messages that wait to be sent.
func (b *SendBatch) Len() int { return b.n }

// Push adds the datagrams of payload, of segment bytes each (the last may be
// shorter), to go as e says, in runs where gso allows. It returns what did not
// fit: nil for nothing, or else the batch must be sent before the rest is
// pushed. whole tells the rest of nothing from a datagram of 0 bytes.
func (b *SendBatch) Push(e *Envelope, payload []byte, segment int, gso *GSO) (rest []byte, whole bool) {
	most := mostOf(e)
	runs := gso.allows(segment)
	if runs && b.join(e, payload, segment) {
		return nil, true
	}
	for {
		if b.n == len(b.headers) || b.iovn+1 >= len(b.iovs) {
			return payload, false
		}
		part := min(segment, len(payload))
		if runs {
			part = cut(len(payload), segment, most)
		}
		b.start(e, payload[:part], min(segment, part), most)
		if !runs {
			b.runs[b.n-1].closed = true
		}
		payload = payload[part:]
		if len(payload) == 0 {
			return nil, true
		}
	}
}

// mostOf is what one message may carry to where e says, in bytes.
func mostOf(e *Envelope) int {
	if e.Dest.Addr().Is4() {
		return maxRun4
	}
	return maxRun6
}

// join adds payload to the last run, if it may follow there.
func (b *SendBatch) join(e *Envelope, payload []byte, segment int) bool {
	if b.n == b.sealed() || b.iovn+1 >= len(b.iovs) {
		return false
	}
	last := &b.runs[b.n-1]
	if last.prefixes > 0 || !last.takes(len(payload), segment) || b.envelopes[b.n-1] != *e {
		return false
	}
	last.add(len(payload))
	b.gather(payload)
	return true
}

// start begins a message.
func (b *SendBatch) start(e *Envelope, payload []byte, segment, most int) {
	b.runs[b.n] = startRun(len(payload), segment, most)
	b.envelopes[b.n] = *e
	b.firstIov[b.n] = b.iovn
	b.n++
	b.gather(payload)
}

func (b *SendBatch) gather(payload []byte) {
	iov := &b.iovs[b.iovn]
	iov.Base = baseOf(payload)
	iov.SetLen(len(payload))
	b.iovn++
}

// encode writes the headers and control messages of what was planned, from a message
// on.
func (b *SendBatch) encode(from int) {
	end := b.iovn
	for i := b.n - 1; i >= from; i-- {
		h, e := &b.headers[i].header, &b.envelopes[i]
		h.Name, h.Namelen = nil, 0
		if !e.Connected {
			h.Name = &b.names[i][0]
			h.Namelen = uint32(PutSockaddr(b.names[i][:], e.Dest, e.DestScope))
		}
		first := b.firstIov[i]
		h.Iov = &b.iovs[first]
		h.SetIovlen(end - first)
		end = first
		rest := b.control[i][:]
		if e.Source.IsValid() || e.TOS != 0 {
			rest = putEnvelope(rest, e)
		}
		if b.runs[i].datagrams > 1 {
			rest = putSegment(rest, b.runs[i].segment)
		}
		h.Control = &b.control[i][0]
		h.SetControllen(sendControl - len(rest))
		if len(rest) == sendControl {
			h.Control = nil
		}
	}
}

// putEnvelope writes the control messages that e takes, and returns what follows
// them.
func putEnvelope(b []byte, e *Envelope) []byte {
	if e.Source.IsValid() {
		b = putSource(b, e.Source, e.SourceScope)
	}
	if e.TOS != 0 {
		b = putTOS(b, !e.Dest.Addr().Is4(), e.TOS)
	}
	return b
}

// Send sends what was pushed through fd, but for what is sealed, and takes it out of
// the batch. A message that fails is left out and the rest goes on, but when the
// socket's buffer is full the rest is dropped: a datagram does not wait. gso, which was
// given to Push, learns what the kernel refuses.
func (b *SendBatch) Send(fd int, gso *GSO) (result SendResult) {
	first := b.sealed()
	b.encode(first)
	b.sendRange(fd, first, b.n, gso, &result)
	if first < b.n {
		b.n, b.iovn = first, b.firstIov[first]
	}
	return result
}

// sendRange sends the messages from at until end through fd.
func (b *SendBatch) sendRange(fd, at, end int, gso *GSO, result *SendResult) {
	for at < end {
		sent, errno := b.try(fd, b.headers[at:end])
		for i := at; i < at+sent; i++ {
			result.took(&b.runs[i])
		}
		at += sent
		switch {
		case sent > 0 || errno == unix.EINTR:
		case errno == unix.EAGAIN:
			for ; at < end; at++ {
				result.drop(b.runs[at].datagrams, errno, &b.envelopes[at])
			}
		case b.runs[at].datagrams > 1 && refusesRun(errno):
			b.resend(fd, at, gso, result)
			at++
		default:
			result.drop(b.runs[at].datagrams, errno, &b.envelopes[at])
			at++
		}
	}
}

// try transmits, again where the first call only brought the news of an earlier
// datagram: with IP_RECVERR, an ICMP error waits as the error of whichever call
// comes next (sock_error in include/net/sock.h), which then sends nothing.
func (b *SendBatch) try(fd int, headers []mmsghdr) (int, syscall.Errno) {
	sent, errno := b.transmit(fd, headers)
	switch errno {
	case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EMSGSIZE, unix.EPROTO, unix.EACCES, unix.ENOPROTOOPT, unix.EOPNOTSUPP:
		return b.transmit(fd, headers)
	}
	return sent, errno
}

func (r *SendResult) took(message *run) {
	r.Datagrams += message.datagrams
	r.Bytes += message.bytes - message.prefixes
}

func (r *SendResult) drop(datagrams int, errno syscall.Errno, e *Envelope) {
	if r.Dropped == 0 {
		r.Errno, r.Failed = errno, *e
	}
	r.Dropped += datagrams
}

// resend sends the datagrams of message i one by one, since the kernel refused
// them as a run. When the first goes, the run was at fault, and gso learns it.
func (b *SendBatch) resend(fd, i int, gso *GSO, result *SendResult) {
	e, r := &b.envelopes[i], &b.runs[i]
	b.single.header = b.headers[i].header
	h := &b.single.header
	h.SetControllen(sendControl - len(putEnvelope(b.control[i][:], e)))
	if h.Controllen == 0 {
		h.Control = nil
	}
	first := b.firstIov[i]
	iovs := b.iovs[first : first+int(b.headers[i].header.Iovlen)]
	if r.prefixes > 0 {
		h.SetIovlen(2)
		for ; len(iovs) > 0; iovs = iovs[2:] {
			h.Iov = &iovs[0]
			b.sendSingle(fd, e, int(iovs[1].Len), r.segment, gso, result)
		}
		return
	}
	h.Iov = &b.scrap
	h.SetIovlen(1)
	for _, iov := range iovs {
		for payload := bytesOf(iov); len(payload) > 0; {
			part := payload[:min(r.segment, len(payload))]
			payload = payload[len(part):]
			b.scrap.Base = baseOf(part)
			b.scrap.SetLen(len(part))
			b.sendSingle(fd, e, len(part), r.segment, gso, result)
		}
	}
}

// sendSingle sends the datagram that is in b.single, of a run of datagrams of
// segment bytes.
func (b *SendBatch) sendSingle(fd int, e *Envelope, bytes, segment int, gso *GSO, result *SendResult) {
	if _, errno := b.try(fd, singleton(&b.single)); errno != 0 {
		result.drop(1, errno, e)
		return
	}
	gso.refuse(segment)
	result.Datagrams++
	result.Bytes += bytes
}
