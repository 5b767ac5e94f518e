package splice

import "golang.org/x/sys/unix"

// TCP urgent data: one byte of the stream that the sender marked (tcp(7), RFC 6093). splice(2) stops at the mark and answers
// EAGAIN for good, although bytes wait behind it (tcp_read_sock). So a direction whose source has shown EPOLLPRI is copied from
// then on, with the mark looked for before each read, and the byte leaves urgent again, in its place.
//
// With SO_OOBINLINE the marked byte is read like any other, but recv stops before it (tcp_recvmsg_locked), so that reading one
// byte at the mark gets just that one. Without it the byte would be skipped, and lost when a second mark replaces the first.

// copyUrgent is copyOnce for such a source. False means that it has bytes that cannot be read in this turn.
//
// The order of the two questions matters: bytes that were queued before the mark was looked for, and not found, begin with an
// ordinary one. The other way round, an urgent byte could arrive in between and be read as part of the rest.
func (r *Relay) copyUrgent(from Side) bool {
	d, src := &r.dirs[from], &r.sides[from]
	fd := int(src.fd)
	if !d.inline {
		d.inline = true
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1)
	}
	queued := ioctlInt(fd, unix.SIOCINQ)
	if queued == 0 && src.seen&(InHangUp|HangUp|Err) == 0 {
		src.seen &^= In
		return true
	}
	into := r.within(from, r.w.buffer)
	atMark := ioctlInt(fd, unix.SIOCATMARK) != 0
	if atMark {
		into = d.urgent[:]
	}
	n, errno := recv(fd, into)
	r.took(from, n)
	switch {
	case n == 0 && errno == unix.EAGAIN && queued > 0:
		return false // a pending signal, such as the Go runtime's preemption, makes recv answer so at the mark; no edge follows
	case n == 0:
		r.readFailed(from, errno)
	case atMark:
		d.urgentHeld = true
		r.sendUrgent(from)
	default:
		r.deliver(from, into[:n], 0)
	}
	return true
}

// sendUrgent delivers the urgent byte that the direction holds; everything before it has been delivered.
func (r *Relay) sendUrgent(from Side) {
	d := &r.dirs[from]
	n, errno := send(r.fd(from.other()), d.urgent[:], unix.MSG_OOB)
	r.w.copied += uint64(n)
	d.urgentHeld = r.wrote(from, n, 1, errno)
}
