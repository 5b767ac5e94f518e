package redir

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// inbound is an Inbound that is open, as its listeners on all reactors see it.
type inbound struct {
	Inbound
	id         uint16 // part of the NAT key
	udpTimeout int64  // ns
	sockets    []listenSocket
}

// newInbound is in, not open yet; udpTimeout is for one that names none.
func newInbound(in Inbound, id uint16, udpTimeout time.Duration) *inbound {
	if in.UDPTimeout != 0 {
		udpTimeout = in.UDPTimeout
	}
	return &inbound{Inbound: in, id: id, udpTimeout: int64(udpTimeout)}
}

// listenSocket is one bound socket, made for the worker of an index.
type listenSocket struct {
	worker  int
	network int // SOCK_STREAM or SOCK_DGRAM
	addr    netip.AddrPort
	fd      int // -1 once a worker has it
}

// openInbounds opens the listeners of all inbounds, or none. Ports that those
// of gone hold are free for them.
func (s *Server) openInbounds(inbounds []Inbound, gone []*inbound, udpTimeout time.Duration) ([]*inbound, error) {
	var opened []*inbound
	for _, in := range inbounds {
		s.lastID++
		state := newInbound(in, s.lastID, udpTimeout)
		if err := s.openInbound(state, in.TCP, in.UDP, gone); err != nil {
			closeSockets(opened)
			return nil, err
		}
		opened = append(opened, state)
	}
	return opened, nil
}

// openInbound opens the listeners of in for the networks named.
func (s *Server) openInbound(in *inbound, tcp, udp bool, gone []*inbound) error {
	held := slices.ContainsFunc(gone, func(g *inbound) bool { return in.collides(g.Inbound) != "" })
	addrs := listenAddrs(in.Listen)
	for _, addr := range addrs {
		err := s.openAddr(in, addr, tcp, udp, held)
		if len(addrs) > 1 && errors.Is(err, unix.EAFNOSUPPORT) {
			continue // a kernel without IPv6
		}
		if err != nil {
			closeSockets([]*inbound{in})
			return err
		}
	}
	return nil
}

// openAddr opens a socket for each network and worker; held tells that sluice
// itself still has the port.
func (s *Server) openAddr(in *inbound, addr netip.AddrPort, tcp, udp, held bool) error {
	for _, n := range []struct {
		wanted  bool
		network int
		name    string
	}{{tcp, unix.SOCK_STREAM, "tcp"}, {udp, unix.SOCK_DGRAM, "udp"}} {
		if !n.wanted {
			continue
		}
		if !held {
			if err := probeBind(addr, in.Kind, n.network); err != nil {
				return explainListen(n.name, in.Kind, addr, err)
			}
		}
		for i := range s.workers {
			fd, err := openListener(addr, in.Kind, n.network)
			if err != nil {
				return explainListen(n.name, in.Kind, addr, err)
			}
			in.sockets = append(in.sockets, listenSocket{i, n.network, addr, fd})
		}
	}
	return nil
}

// closeSockets closes what no worker has taken over.
func closeSockets(inbounds []*inbound) {
	for _, in := range inbounds {
		for i := range in.sockets {
			if fd := in.sockets[i].fd; fd >= 0 {
				unix.Close(fd)
				in.sockets[i].fd = -1
			}
		}
	}
}

// attach takes over this worker's sockets of the inbounds. On the reactor's
// thread, or before it starts.
func (w *worker) attach(inbounds []*inbound, index int) error {
	for _, in := range inbounds {
		for i := range in.sockets {
			socket := &in.sockets[i]
			if socket.worker != index || socket.fd < 0 {
				continue
			}
			take := w.listenTCP
			if socket.network == unix.SOCK_DGRAM {
				take = w.udp.listen
			}
			if err := take(socket.fd, in); err != nil {
				return fmt.Errorf("listen %s on %s: %w", in.Kind, socket.addr, err)
			}
			socket.fd = -1
		}
	}
	return nil
}

// detach closes this worker's listeners of in for the networks named. Running
// connections and flows go on.
func (w *worker) detach(in *inbound, tcp, udp bool) {
	if udp {
		w.udp.unlisten(in)
	}
	if !tcp {
		return
	}
	kept := w.listeners[:0]
	for _, l := range w.listeners {
		if l.in != in {
			kept = append(kept, l)
			continue
		}
		l.finish()
	}
	clear(w.listeners[len(kept):])
	w.listeners = kept
}

// relabel gives the listeners of from a new name and timeout.
func (w *worker) relabel(from, to *inbound) {
	for _, l := range w.listeners {
		if l.in == from {
			l.in = to
		}
	}
	for _, l := range w.udp.listeners {
		if l.in == from {
			l.in = to
		}
	}
}
