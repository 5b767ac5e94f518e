// Package frame is what the load tools send: every payload names its flow and its
// place in it, and carries a checksum over all of itself.
//
//	 0      4      8      12     16     20       24     32     40     48    Size
//	+------+------+------+------+------+--------+------+------+------+------+
//	| magic| check| size | reply| kind | 0 0 0  | flow | seq  | stamp| body |
//	+------+------+------+------+------+--------+------+------+------+------+
//
// Little endian. On UDP one datagram is one frame; on TCP frames follow one
// another. check is the CRC-32C of bytes 8 to the end, taken over the body first
// and the header last, so that a sender which keeps its bodies computes it from
// the header alone.
//
// # Glossary
//
//   - flow: a number that one TCP connection or one UDP socket of one run bears and
//     no other; a frame that arrives with another one was mixed up on the way.
//   - seq: counts the frames of a flow from 0, in the order of sending.
//   - stamp: nanoseconds on the clock of the process that set it; replies return it.
//   - slot: a frame buffer with its body in place and the body's checksum known.
//   - tracker: what a receiver knows of the seqs of one flow.
package frame

// HeaderSize is the size of the header, and of the least frame, in bytes.
const HeaderSize = 48

// MaxSize is the greatest frame: a UDP datagram over IPv4 holds no more
// (65,535 - 20 - 8).
const MaxSize = 65507

// Magic begins every frame: the format's name and version.
const Magic = "SLB1"

// Kind tells what the receiver does with a frame.
type Kind uint8

// The first frame of a TCP connection chooses what the server does with all of it;
// on UDP each datagram chooses for itself.
const (
	// Echo is returned as it is.
	Echo Kind = iota + 1
	// Sink is counted for the report of its flow.
	Sink
	// Source asks for Data. Its body is a SourceSpec.
	Source
	// Request is answered by a Response of Reply bytes with its flow, seq and stamp (TCP).
	Request
	Response
	// Data is what a source sends.
	Data
	// Report asks for the report of the flow (UDP), and is it: its body is a Stats.
	// On TCP it ends a stream.
	Report
	// Refused answers a Request that arrived corrupt.
	Refused
)
