// Package dgram is a UDP socket that sends and receives in batches, for the load
// tools: recvmmsg and sendmmsg, UDP_GRO and UDP_SEGMENT, the local address of each
// datagram in and out.
//
//	          one recvmmsg                      one sendmmsg
//	+-----------+-----------+-----+    +-----------+-----------+-----+
//	| message   | message   | ... |    | message   | message   | ... |
//	+-----------+-----------+-----+    +-----------+-----------+-----+
//	  | from, to, segment 1200           | to, from, segment 1200
//	  v                                  v
//	[1200][1200][1200][840]            [1200][1200][840]
//
// # Glossary
//
//   - message: what one entry of a batch carries: one datagram, or a run of
//     datagrams of one flow that are all of the segment's size but the last.
//   - segment: the size of a datagram in a run, in bytes; 0 for a single datagram.
//   - name: the socket address of the other end of a message.
//
// A batch belongs to one goroutine and may serve many sockets in turn.
package dgram

// MaxSegments is how many datagrams one run may hold (UDP_MAX_SEGMENTS was 64
// until Linux 6.9 made it 128).
const MaxSegments = 64

// MaxRun is how many bytes one run may hold: the greatest datagram over IPv4.
const MaxRun = 65507
