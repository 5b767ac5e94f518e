// Package upstream is how a destination is reached: sluice's own sockets
// towards it, which bear the mark that the diverting rules skip.
//
//	tcp ──► Connect ──► handshake under way ──► (edge) ──► AckNow
//	udp ──► Datagram ──► unconnected socket, whose port every remote sees
//	                 CauseOf: what an error means to an operator
//
// Glossary:
//
//   - upstream: sluice's own socket towards dest.
//   - path: how upstreams leave: source, mark, device, congestion control; and
//     whether they begin with a PROXY header.
//   - mark: SO_MARK of every upstream (socket(7)); 0 sets none.
package upstream
