package loop

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func sliceOf(p *byte, n int) []byte { return unsafe.Slice(p, n) }

func iovsOf(h *unix.Msghdr) []unix.Iovec { return unsafe.Slice(h.Iov, h.Iovlen) }
