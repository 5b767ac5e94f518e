package splice

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// copyOnce reads once into the workspace's buffer and writes once; what does not fit becomes the direction's residue.
func (r *Relay) copyOnce(from Side) {
	d, src := &r.dirs[from], &r.sides[from]
	buf := r.within(from, r.w.buffer)
	n, errno := recv(int(src.fd), buf)
	if n == 0 {
		r.readFailed(from, errno)
		return
	}
	r.took(from, n)
	r.arrived(from, n, len(buf))
	r.deliver(from, buf[:n], d.withEnd())
}

// arrived accounts for a read that brought n bytes, and might have brought most.
//
// A read that fills less than the buffer spares the one that would answer EAGAIN: recv goes on until the queue is empty, a FIN,
// an error, or the urgent mark (tcp_recvmsg_locked). Each of the last three is announced by an edge. If that edge was not noted
// yet, it is still to come and will put In back. If the end was noted (InHangUp, no error, never anything urgent), then all
// that precedes it was in the queue already, and the short read has reached it: the 0 need not be read either.
func (r *Relay) arrived(from Side, n, most int) {
	d, src := &r.dirs[from], &r.sides[from]
	r.noteRead(d, n, most)
	if n == most {
		return
	}
	switch {
	case src.seen&(InHangUp|HangUp|Err|Urgent) == 0:
		src.seen &^= In
	case src.seen&(InHangUp|Err|Urgent) == InHangUp:
		d.ended = true
	}
}

// withEnd is the flag for sending what may be the last bytes of a direction. If they are, a shutdown or close follows in this
// Pump, whose FIN then shares a packet with them (tcp_push holds back a partial segment under MSG_MORE; tcp_send_fin adds the
// flag to it and pushes). Should a failure prevent that, the probe timer sends them within 200 ms.
func (d *direction) withEnd() int {
	if d.ended {
		return unix.MSG_MORE
	}
	return 0
}

// deliver writes data to the other side and keeps what it does not take.
func (r *Relay) deliver(from Side, data []byte, flags int) {
	n, errno := send(r.fd(from.other()), data, flags)
	r.sent(from, data, n, errno)
}

// sent accounts for a write of data that took n bytes.
func (r *Relay) sent(from Side, data []byte, n int, errno syscall.Errno) {
	r.w.copied += uint64(n)
	if r.wrote(from, n, len(data), errno) {
		r.dirs[from].rest = r.w.residues.hold(data[n:])
	}
}

// flushResidue writes what an earlier deliver kept.
func (r *Relay) flushResidue(from Side) {
	d := &r.dirs[from]
	rest := d.rest
	n, errno := send(r.fd(from.other()), rest.data, 0)
	r.w.copied += uint64(n)
	keep := r.wrote(from, n, len(rest.data), errno)
	switch {
	case keep:
		rest.data = rest.data[n:]
	case d.rest != nil: // a failed write has dropped it already
		r.w.residues.release(rest)
		d.rest = nil
	}
}
