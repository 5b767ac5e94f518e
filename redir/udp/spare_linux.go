package udp

import (
	"slices"
	"time"

	"sluice/redir/outbound"
	"sluice/redir/socket"
)

// spares are sockets of sessions that have ended, kept for others of the same way:
// they are made, marked and registered already, which with their end is a third of
// what a session costs that asks one question. They have no port: as with a new
// socket, a session's first datagram takes one from the kernel, and what remotes still
// send to the one of before is nobody's. The worker's own.
type spares struct {
	w    *Worker
	kept [2][]spare // of IPv4, of IPv6; the one that was used last comes last
}

// spareTime is how soon it is looked whether any session is left that another may
// follow.
const spareTime = time.Second

type spare struct {
	fd  int
	way *outbound.Way
}

// leavesSpare tells whether the socket of f may serve another session. One that has
// got larger buffers may not.
func (f *flow) leavesSpare() bool {
	return !f.bulk && !f.wide.Load() && f.way.Path.OutlivesPort() && !f.owner.closed
}

// Inherit implements loop.Heir: no worker sends by the socket of f any more.
func (f *flow) Inherit(fd int) { f.owner.spares.put(fd, f.way, f.v6) }

// put keeps a socket, in the place of the one that has waited longest where there
// are enough. Where no session is left, there is no next one either.
func (s *spares) put(fd int, way *outbound.Way, v6 bool) {
	most := int(s.w.shared.spares.Load())
	if s.w.closed || most == 0 || s.w.shared.flows.Len() == 0 || socket.Unbind(fd) != 0 {
		s.w.r.Close(fd)
		return
	}
	kept := s.of(v6)
	if len(*kept) >= most {
		s.w.r.Close((*kept)[0].fd)
		*kept = slices.Delete(*kept, 0, 1)
	}
	*kept = append(*kept, spare{fd, way})
	s.w.expireBy(s.w.r.Now() + int64(spareTime))
}

func (s *spares) of(v6 bool) *[]spare {
	if v6 {
		return &s.kept[1]
	}
	return &s.kept[0]
}

// take takes out the last one of a way; false where there is none. What a session has
// left in one, or has reached it while it lost its port, is for nobody to hear: that
// one is closed.
func (s *spares) take(way *outbound.Way, v6 bool) (fd int, ok bool) {
	kept := s.of(v6)
	for i := len(*kept) - 1; i >= 0; i-- {
		one := (*kept)[i]
		if one.way != way {
			continue
		}
		*kept = slices.Delete(*kept, i, i+1)
		if socket.IsQuiet(one.fd) {
			return one.fd, true
		}
		s.w.r.Close(one.fd)
	}
	return -1, false
}

// giveUp closes all, and tells whether there was one.
func (s *spares) giveUp() (any bool) {
	for family := range s.kept {
		for _, one := range s.kept[family] {
			s.w.r.Close(one.fd)
			any = true
		}
		s.kept[family] = nil
	}
	return any
}
