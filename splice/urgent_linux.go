package splice

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// TCP urgent data: one byte of the stream that the sender marked (tcp(7), RFC 6093). splice(2) stops at the mark and answers
// EAGAIN for good, although bytes wait behind it (tcp_read_sock). So a direction whose source has shown EPOLLPRI is copied from
// then on, with the mark looked for before each read, and the byte leaves urgent again, in its place.
//
// With SO_OOBINLINE the marked byte is read like any other, but recv stops before it (tcp_recvmsg_locked), so that reading one
// byte at the mark gets just that one. Without it the byte would be skipped, and lost when a second mark replaces the first.

// copyUrgent is copyOnce for such a source. False means that it has bytes that cannot be read in this turn.
func (r *Relay) copyUrgent(from Side) bool {
	d, src := &r.dirs[from], &r.sides[from]
	fd := int(src.fd)
	if !d.inline {
		d.inline = true
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1)
	}
	if ioctlInt(fd, unix.SIOCATMARK) != 0 {
		return r.moveUrgent(from)
	}
	n, errno := recv(fd, r.w.buffer)
	if n == 0 {
		return r.urgentReadFailed(from, errno)
	}
	r.deliver(from, r.w.buffer[:n])
	return true
}

// moveUrgent reads the byte at the mark and sends it on.
func (r *Relay) moveUrgent(from Side) bool {
	d := &r.dirs[from]
	n, errno := recv(r.fd(from), d.urgent[:])
	if n == 0 {
		return r.urgentReadFailed(from, errno)
	}
	d.urgentHeld = true
	r.sendUrgent(from)
	return true
}

// sendUrgent delivers the urgent byte that the direction holds; everything before it has been delivered.
func (r *Relay) sendUrgent(from Side) {
	d := &r.dirs[from]
	n, errno := send(r.fd(from.other()), d.urgent[:], unix.MSG_OOB)
	r.w.copied += uint64(n)
	d.urgentHeld = r.wrote(from, n, 1, errno)
}

// urgentReadFailed is readFailed for a read that may have stood at the mark, where a pending signal makes recv answer EAGAIN
// although bytes wait (tcp_recvmsg_locked; the Go runtime's preemption is such a signal). No edge would follow.
func (r *Relay) urgentReadFailed(from Side, errno syscall.Errno) bool {
	if errno == unix.EAGAIN && ioctlInt(r.fd(from), unix.SIOCINQ) > 0 {
		return false
	}
	r.readFailed(from, errno)
	return true
}
