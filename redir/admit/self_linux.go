package admit

import (
	"net/netip"
	"os"
	"slices"

	"sluice/redir/socket"
)

// Self knows sluice's own upstream sockets again when their packets are diverted
// a second time: other people's rules may take the mark off a packet, not off
// the socket that sent it. Without that, a connection would become thousands. It
// belongs to one worker.
type Self struct {
	admission *Admission
	diag      *socket.Diag
}

// NewSelf returns a Self that asks a for the gateway's own addresses.
func NewSelf(a *Admission) (*Self, error) {
	diag, err := socket.OpenDiag()
	if err != nil {
		return nil, err
	}
	return &Self{a, diag}, nil
}

// Is reports whether what client sends to dest by a network (SOCK_STREAM or
// SOCK_DGRAM) comes from a socket that bears one of sluice's marks. A client that is not
// the gateway itself, which is nearly all of them, costs one look into a set;
// one that is, a question to the kernel; and one of sluice's own user, where the
// kernel keeps marks to itself, a search among the process' sockets. Without a
// mark nobody is known.
func (s *Self) Is(network int, client, dest netip.AddrPort) bool {
	marks := *s.admission.marks.Load()
	if len(marks) == 0 || !s.admission.IsOwn(client.Addr()) {
		return false
	}
	found, ok := s.diag.Find(network, client, dest)
	if !ok || found.HasMark {
		return ok && slices.Contains(marks, found.Mark)
	}
	if found.UID != uint32(os.Geteuid()) { // which may have changed since the start
		return false
	}
	_, held := socket.Holds(found.Cookie, int(s.admission.highest.Load()))
	return held
}

// Close may be called again.
func (s *Self) Close() { s.diag.Close() }
