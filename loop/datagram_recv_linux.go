package loop

import (
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// slotSize holds the longest datagram there is, and the longest run that GRO
	// merges: an IP packet has at most 64 KiB.
	slotSize = 1 << 16
	// slotStride keeps the beginnings of neighbouring slots out of the same sets
	// of the processor's caches: 20 lines of 64 bytes, the length of a common
	// datagram, past a power of two. 64 datagrams of 1,200 bytes take 7% less
	// time to receive and read so.
	slotStride = slotSize + 20*64
)

// Received is one message of a RecvBatch. It is valid until its slot is
// received into again.
type Received struct {
	Payload []byte
	// Segment is the length of each datagram in Payload, in bytes, of which the
	// last may be shorter. It is len(Payload) for a datagram that came alone.
	Segment     int
	Source      netip.AddrPort // IPv4-mapped addresses are unmapped
	SourceScope uint32         // interface index of a link-local source, else 0
	Dest        netip.AddrPort // original destination; not valid where the socket reports none
	DestScope   uint32
	TOS         uint8 // type of service, or traffic class, with ECN; 0 where the socket reports none
	// Truncated says that a part of the message or of its control messages did
	// not fit: nothing else but Source can be relied upon.
	Truncated bool
}

// Datagrams is how many there are in Payload.
func (m *Received) Datagrams() int { return count(len(m.Payload), m.Segment) }

// RecvBatch receives many datagrams by one recvmmsg(2). Its slots hold one
// message each and are filled from any of them on, so that several sockets can
// share a batch within a turn. It belongs to one reactor.
//
// Slots are untouched memory until a datagram fills them: 64 slots take 4 MiB
// of addresses, and as much memory as the longest datagrams that each has seen.
type RecvBatch struct {
	headers []mmsghdr
	iovs    []unix.Iovec
	names   [][SockaddrSize]byte
	control [][receiveControl]byte
	memory  []byte // slots, mapped
	dirty   int    // headers from here on are as the kernel wants them
}

// NewRecvBatch makes a batch of n slots.
func NewRecvBatch(n int) (*RecvBatch, error) {
	memory, err := unix.Mmap(-1, 0, n*slotStride, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	b := &RecvBatch{
		headers: make([]mmsghdr, n),
		iovs:    make([]unix.Iovec, n),
		names:   make([][SockaddrSize]byte, n),
		control: make([][receiveControl]byte, n),
		memory:  memory,
	}
	for i := range b.headers {
		b.iovs[i].Base = &b.slot(i)[0]
		b.iovs[i].SetLen(slotSize)
		h := &b.headers[i].header
		h.Iov = &b.iovs[i]
		h.SetIovlen(1)
		h.Name = &b.names[i][0]
		h.Control = &b.control[i][0]
	}
	b.dirty = n
	b.clean(0, n)
	return b, nil
}

// Close gives the slots' memory back. What was received is not valid any more.
func (b *RecvBatch) Close() {
	if b.memory != nil {
		unix.Munmap(b.memory)
		b.memory = nil
	}
}

// Trim gives back what the slots have come to hold of memory. What was received
// is not valid any more, but the batch can be used as before.
func (b *RecvBatch) Trim() {
	unix.Madvise(b.memory, unix.MADV_DONTNEED)
}

// Len is the number of slots.
func (b *RecvBatch) Len() int { return len(b.headers) }

func (b *RecvBatch) slot(i int) []byte {
	return b.memory[i*slotStride : i*slotStride+slotSize : i*slotStride+slotSize]
}

// Recv receives into the slots from the given one to the last, without
// blocking, and returns how many it filled. Fewer than there were mean that the
// socket is drained: the next datagram makes an edge. errno is 0 or why not
// even one was received; EAGAIN means none was there.
func (b *RecvBatch) Recv(fd, from int) (n int, errno syscall.Errno) {
	b.clean(from, len(b.headers))
	n, errno = recvmmsg(fd, b.headers[from:])
	if errno != 0 && errno != unix.EAGAIN {
		n, errno = recvmmsg(fd, b.headers[from:]) // that was the socket's pending error; it is cleared now
	}
	b.dirty = max(b.dirty, from+n)
	return n, errno
}

// Gather has calls receive one message from fd into slot i.
func (b *RecvBatch) Gather(calls *Calls, fd, i int) (call int) {
	h := &b.headers[i].header
	h.Namelen = SockaddrSize
	h.SetControllen(receiveControl)
	b.dirty = max(b.dirty, i+1)
	return calls.RecvMsg(fd, h)
}

// Gathered is what became of a call of Gather, after it was made: 0 where slot i has
// received a message, or why it has not; EAGAIN means none was there.
func (b *RecvBatch) Gathered(calls *Calls, call, i int) syscall.Errno {
	n, errno := calls.Result(call)
	b.headers[i].length = uint32(n)
	return errno
}

// clean undoes what the kernel wrote into headers: recvmmsg replaces the room
// for names and control messages by what they take.
func (b *RecvBatch) clean(from, to int) {
	for i := from; i < min(to, b.dirty); i++ {
		h := &b.headers[i].header
		h.Namelen = SockaddrSize
		h.SetControllen(receiveControl)
	}
	if from < b.dirty {
		b.dirty = from
	}
}

// Message reads what slot i has received.
func (b *RecvBatch) Message(i int, m *Received) {
	h := &b.headers[i]
	length := min(int(h.length), slotSize)
	m.Payload = b.slot(i)[:length:length]
	m.Segment = length
	m.Truncated = h.header.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0
	m.Source, m.SourceScope, _ = ParseSockaddr(b.names[i][:min(int(h.header.Namelen), SockaddrSize)])
	c := parseControl(b.control[i][:min(int(h.header.Controllen), receiveControl)])
	m.Dest, m.DestScope, m.TOS = c.dest, c.scope, c.tos
	if c.segment > 0 && c.segment < length {
		m.Segment = c.segment
	}
}
