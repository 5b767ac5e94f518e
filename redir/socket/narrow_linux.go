package socket

import (
	"math"

	"golang.org/x/sys/unix"
)

// Flags of SO_BUF_LOCK (SOCK_SNDBUF_LOCK and SOCK_RCVBUF_LOCK of include/linux/socket.h).
const bothBuffers = 1 | 2

// FreezeBuffers lets the buffers of fd, both ways, grow no further than they
// have, until Thaw. Nothing that is queued or promised is lost by that. Best
// effort: SO_BUF_LOCK is of Linux 5.14.
func FreezeBuffers(fd int) { SetInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK, bothBuffers) }

// NarrowWindow bounds what the peer of fd may send of what nobody has read, in
// bytes (tcp(7) TCP_WINDOW_CLAMP), until Thaw; what it was promised before still
// comes. It serves where nobody reads: reading much lifts it (tcp_rcv_space_adjust
// in net/ipv4/tcp_input.c), unless the buffers are frozen.
func NarrowWindow(fd, bytes int) { SetInt(fd, unix.SOL_TCP, unix.TCP_WINDOW_CLAMP, int32(bytes)) }

// Thaw lets the kernel size buffers and window by itself again.
func Thaw(fd int) {
	SetInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK, 0)
	SetInt(fd, unix.SOL_TCP, unix.TCP_WINDOW_CLAMP, math.MaxInt32)
}
