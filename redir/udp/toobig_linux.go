package udp

import (
	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/icmp"
)

// Ready hears by which ways datagrams must be cut. That one is, its sender could
// not tell; so a client whose own address it bore is told as well.
func (m *messenger) Ready(loop.Events) {
	for range errorsPerEdge {
		n, offender, err := unix.Recvfrom(m.v6, m.data[:], unix.MSG_DONTWAIT)
		if err != nil {
			return
		}
		said, ok := icmp.ParseTooBig(m.data[:n])
		if !ok {
			continue
		}
		m.narrow.add(said.To.Addr(), m.w.r.Now())
		from, ok := addrPortOf(offender)
		if !ok || !m.w.set.ICMP || !m.isMine() {
			continue
		}
		if e := m.w.sourcedOf(said.From, said.To, 0); e != nil {
			m.tellOf(e.Value, said.To, icmp.Error{Type: m.data[0], Info: said.MTU, Offender: from.Addr()}, nil)
		}
	}
	m.w.r.Again(m.v6)
}

// isMine reports whether it is this worker that passes on what all hear.
func (m *messenger) isMine() bool { return m.w.r.Index() == 0 }
