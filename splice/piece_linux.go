package splice

import (
	"strings"

	"golang.org/x/sys/unix"
)

// How many bytes one splice moves.
//
// The more the better, as a rule: fewer calls, fewer acknowledgements. Not so where the destination's TCP paces itself, as BBR
// does on a device without the fq qdisc (SK_PACING_NEEDED): of what it is given at once it sends one packet, and then one with
// each expiry of a timer (tcp_pacing_check in net/ipv4/tcp_output.c), an interrupt for every 64 KiB. Where instead every call
// brings one packet, the time until the next may leave passes with work: reading it, or serving other connections. Measured with
// eight streams: a quarter fewer timers, 1.1 times the bytes for a tenth less CPU of the whole machine; where nothing paces
// (cubic), 0.8 to 1.0 times the bytes. So the destination is asked when a direction becomes bulk. It does not tell whether fq
// paces for it; then it gets packets too.
//
// Such a piece is to become one packet and leave nothing over: a multiple of the segment size, and in no more fragments than
// splice(2) gives to one sendmsg. A remainder would be pushed as a small packet.
type piece uint16 // bytes, or one of the below

const (
	pieceUnknown  piece = 0         // to be asked
	pieceRefused  piece = 1         // splice(2) refused these sockets
	pieceWhatFits piece = 1<<16 - 1 // as much as the pipe takes

	// packetFragments is the length of the array with which splice_to_socket (fs/splice.c, since Linux 6.5) calls sendmsg.
	packetFragments = 16
	// packetBytes is what a packet may carry before it is segmented: 64 KiB less the room for headers (sk_setup_caps in
	// net/core/sock.c; MAX_TCP_HEADER is 320 bytes in a kernel with wireless LAN).
	packetBytes = 1<<16 - 1 - 320
)

// pieceFor tells what to splice at once into a socket.
func (w *Workspace) pieceFor(fd int) piece {
	if name := w.option.text(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION); !Paces(string(name)) {
		return pieceWhatFits
	}
	return packetPiece(w.option.number(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG))
}

// Paces tells whether a congestion control (tcp(7), TCP_CONGESTION) has TCP pace itself where no fq qdisc does it. Of those in
// the kernel only BBR does; its later versions, built as modules, have names that begin with its own.
func Paces(congestionControl string) bool { return strings.HasPrefix(congestionControl, "bbr") }

// packetPiece is the largest multiple of a segment that fits into a packet.
func packetPiece(segment int) piece {
	if segment <= 0 || segment > packetBytes {
		return pieceWhatFits
	}
	return piece(packetBytes / segment * segment)
}

// pipe is the kind of pipe for such pieces.
func (p piece) pipe() pipeKind {
	if p == pieceWhatFits {
		return widePipe
	}
	return packetPipe
}

// of is the number of bytes to ask for with a pipe of size bytes.
func (p piece) of(size int) int {
	if p == pieceWhatFits {
		return size
	}
	return min(int(p), size)
}
