package splice

import "golang.org/x/sys/unix"

// EAGAIN of splice(2) means either "socket has nothing" or "pipe is full", and on the way out either "no room in the socket" or
// "pipe is empty". Two invariants make it plain: spliceOnce begins with an empty pipe, so that on the way in it is the socket; and
// pipe.held counts what is inside, so that emptyPipe never reads an empty one and it is the socket again.
//
// A short splice proves nothing about the source (a slot of the pipe takes one fragment, however small), so reading goes on
// until EAGAIN. SPLICE_F_MORE is not given: within one call the kernel says itself that the pipe holds more (MSG_MORE of
// splice_to_socket since Linux 6.5, MSG_SENDPAGE_NOTLAST of pipe_to_sendpage before), and beyond it nobody knows that more will
// come, so a tail could be held back.

// wantsPipe tells whether the direction is to be spliced.
func (r *Relay) wantsPipe(d *direction) bool {
	switch r.w.mode {
	case Auto:
		return d.bulk >= bulkEnough && d.piece != pieceRefused
	case Splice:
		return d.piece != pieceRefused
	}
	return false
}

// takePipe lends the direction a pipe if it has none.
func (r *Relay) takePipe(from Side) bool {
	d := &r.dirs[from]
	if d.piece == pieceUnknown {
		d.piece = r.w.pieceFor(r.fd(from.other()))
	}
	if d.pipe == nil {
		d.pipe = r.w.pipes.take(d.piece.pipe())
	}
	return d.pipe != nil
}

// spliceOnce fills the direction's empty pipe and empties it as far as the destination takes it.
//
// A splice of 0 bytes is not yet the end: tcp_splice_read answers so too before an urgent mark that a FIN follows (it tests
// SOCK_DONE). So the edge that brings both is waited for, and where it brought no urgent mark, recv has the last word.
func (r *Relay) spliceOnce(from Side) {
	d := &r.dirs[from]
	n, errno := splice(r.fd(from), d.pipe.w, int(min(uint64(d.piece.of(d.pipe.size)), r.w.left[from])))
	r.took(from, n)
	switch {
	case n > 0:
		d.pipe.held = n
		r.emptyPipe(from)
	case errno == unix.EINVAL:
		d.piece = pieceRefused
	case errno != 0:
		r.readFailed(from, errno)
	case r.sides[from].seen&(InHangUp|HangUp|Err) == 0:
		r.sides[from].seen &^= In
	default:
		r.copyOnce(from)
	}
}

// emptyPipe moves what the pipe holds to the other side. It tries once more after a short splice, since the kernel may stop
// short for reasons of the pipe; only EAGAIN proves that the destination is full.
func (r *Relay) emptyPipe(from Side) {
	d, p := &r.dirs[from], r.dirs[from].pipe
	for p.held > 0 {
		n, errno := splice(p.r, r.fd(from.other()), p.held)
		p.held -= n
		r.w.spliced += uint64(n)
		if n > 0 {
			d.moved += uint64(n)
			continue
		}
		if errno == 0 {
			errno = unix.EPIPE // the pipe cannot be empty, so the socket took nothing and says nothing: it is dead
		}
		r.wrote(from, 0, p.held, errno)
		return
	}
}
