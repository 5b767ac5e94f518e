package socks

import "golang.org/x/sys/unix"

const (
	// pipeSize is the capacity of a direction's pipe, in bytes.
	pipeSize = 1 << 20
	// bulkAfter is how many full buffers in a row make a direction bulk.
	bulkAfter = 4
	// turns is how often one event moves bytes before others have their turn.
	turns = 16
)

// side is what one direction holds between its ends.
type side struct {
	pending []byte // read and not written
	full    int    // buffers that were read full, one after the other
	pipe    [2]int // of bulk
	piped   int    // bytes in it
	bulk    bool
	ended   bool // the source has sent FIN
	shut    bool // which was passed on
}

// held tells that there is something for which the other end had no room.
func (s *side) held() bool { return len(s.pending) > 0 || s.piped > 0 }

// release gives a direction's pipe back.
func (s *side) release() {
	if s.bulk {
		_ = unix.Close(s.pipe[0])
		_ = unix.Close(s.pipe[1])
		s.bulk = false
	}
}

// pump moves what an end has to the other, until either has no more or no room. Where
// it is not to read all, a read that leaves room in the buffer is the last one
// (epoll(7), of edges).
func (p *pair) pump(w *worker, from *end, all bool) {
	to := p.other(from)
	for range turns {
		moved, err := from.move(w, to, all)
		if err != nil {
			p.reset(w)
			return
		}
		if moved {
			continue
		}
		if from.ended && !from.held() && !from.shut {
			from.shut = true
			if !to.shut {
				_ = unix.Shutdown(to.fd, unix.SHUT_WR) // a peer that is gone shows at its own events
			}
		}
		if from.shut && to.shut {
			p.close(w)
		}
		return
	}
	w.again = append(w.again, from)
}

// move takes one step of a direction; moved is false where it can take no more now.
func (from *end) move(w *worker, to *end, all bool) (moved bool, err error) {
	switch {
	case len(from.pending) > 0:
		return from.write(to, from.pending)
	case from.piped > 0:
		return from.drain(to)
	case from.ended:
		return false, nil
	case from.bulk:
		return from.fill()
	}
	n, err := unix.Read(from.fd, w.buf)
	switch {
	case err == unix.EAGAIN:
		return false, nil
	case err != nil:
		return false, err
	case n == 0:
		from.ended = true
		return true, nil
	}
	if from.full++; n < len(w.buf) {
		from.full = 0
	}
	if from.full >= bulkAfter {
		from.openPipe()
	}
	moved, err = from.write(to, w.buf[:n])
	return moved && (all || n == len(w.buf)), err
}

// write writes data, and keeps what the other end has no room for.
func (from *end) write(to *end, data []byte) (bool, error) {
	n, err := unix.Write(to.fd, data)
	if err == unix.EAGAIN {
		n, err = 0, nil
	}
	if err != nil {
		return false, err
	}
	if n < len(data) {
		from.pending = append([]byte(nil), data[n:]...)
		return false, nil
	}
	from.pending = nil
	return true, nil
}

// openPipe makes a direction bulk; without a pipe it goes on being copied.
func (from *end) openPipe() {
	if unix.Pipe2(from.pipe[:], unix.O_NONBLOCK|unix.O_CLOEXEC) != nil {
		from.full = 0
		return
	}
	_, _ = unix.FcntlInt(uintptr(from.pipe[1]), unix.F_SETPIPE_SZ, pipeSize) // what there is, serves
	from.bulk = true
}

// fill splices from the source into the empty pipe.
func (from *end) fill() (bool, error) {
	n, err := unix.Splice(from.fd, nil, from.pipe[1], nil, pipeSize, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	switch {
	case err == unix.EAGAIN:
		return false, nil
	case err != nil:
		return false, err
	}
	from.piped, from.ended = int(n), n == 0
	return true, nil
}

// drain splices from the pipe to the other end.
func (from *end) drain(to *end) (bool, error) {
	n, err := unix.Splice(from.pipe[0], nil, to.fd, nil, from.piped, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	switch {
	case err == unix.EAGAIN:
		return false, nil
	case err != nil:
		return false, err
	}
	from.piped -= int(n)
	return true, nil
}
