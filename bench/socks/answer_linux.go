package socks

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// bodySize is the length of the page that is answered with, in bytes.
const bodySize = 128

// page is the answer to every request.
func page() []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", bodySize, strings.Repeat("s", bodySize))
}

// isAnswered reports whether the server plays a destination itself.
func (w *worker) isAnswered(dest netip.AddrPort) bool { return slices.Contains(w.answers, dest) }

// answerIt takes the place of the destination.
func (p *pair) answerIt(w *worker) {
	p.state = answering
	if !p.relay {
		p.answer = appendReply(p.answer, succeeded, netip.AddrPort{})
		p.send()
	}
	p.serve(w)
}

// serve answers a request once it is whole, and ends the connection with the client.
func (p *pair) serve(w *worker) {
	for {
		if !p.served && bytes.Contains(p.asked, []byte("\r\n\r\n")) {
			p.served, p.asked = true, nil
			_, _ = unix.Write(p.client.fd, w.page) // it fits into an empty socket
			_ = unix.Shutdown(p.client.fd, unix.SHUT_WR)
		}
		n, err := unix.Read(p.client.fd, w.buf)
		switch {
		case err == unix.EAGAIN:
			return
		case err != nil || n == 0 || len(p.asked) > copyBuffer:
			p.close(w)
			return
		case !p.served:
			p.asked = append(p.asked, w.buf[:n]...)
		}
	}
}
