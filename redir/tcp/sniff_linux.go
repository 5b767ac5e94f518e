package tcp

import (
	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/sniff"
	"sluice/redir/socket"
	"sluice/splice"
)

// looksAtEach is up to how many bytes of a request are looked at whenever there
// are more of them. Beyond, only when there is an eighth more: what is looked at in
// all is then a small multiple of what has come, however it is cut.
const looksAtEach = 2 << 10

// sniff waits for the first bytes of the client. They stay in the receive queue,
// and so pass unchanged.
func (c *conn) sniff() {
	if c.w.set.SniffTimeout <= 0 || speaksFirst(c.wanted().Port()) {
		c.sniffed(sniff.Finding{})
		return
	}
	c.arm(sniffLimit)
}

// sniffEdge takes an edge of the client.
func (c *conn) sniffEdge(ev loop.Events) {
	c.relay.Notify(clientSide, splice.Events(ev)) // it is kept for the relay
	const ends = loop.ReadHangup | loop.Hangup | loop.Error
	if ev&ends != 0 || ev&loop.Readable != 0 && c.hasAwaited() {
		c.look(ev&ends != 0)
	}
}

// look looks at what the client has sent. When it is the last look, because the
// client has ended or has had its time, that is all there is.
func (c *conn) look(last bool) {
	b := c.w.header[:sniff.Most]
	got, errno := socket.Receive(c.client.fd, b, unix.MSG_PEEK)
	switch {
	case errno == unix.EAGAIN && !last:
		return
	case errno != 0 && errno != unix.EAGAIN: // the client gave up, and left nothing to deliver
		c.w.counters.Add(count.ClientsGone, 1)
		c.close(count.ClientsGone)
		return
	}
	ended := errno == 0 && got == 0
	f := c.w.sniffer.Stream(b[:got])
	if f.Verdict == sniff.More && !last && !ended {
		c.awaitBytes(nextLook(f, got))
		return
	}
	c.sniffed(f)
}

// nextLook is how many bytes there are to be when what began with got is looked at
// again. Where a hello ends is known, where a request does is not.
func nextLook(f sniff.Finding, got int) int {
	if f.Protocol == sniff.TLS || got < looksAtEach {
		return f.Need
	}
	return min(got+got/8, sniff.Most)
}

// awaitBytes has the next edge come when so many bytes are there (SO_RCVLOWAT in
// socket(7); tcp_epollin_ready in include/net/tcp.h), or no more will.
func (c *conn) awaitBytes(n int) {
	c.set(isAwaitingMore, n > 1)
	socket.SetInt(c.client.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, int32(n))
}

// hasAwaited reports whether as many bytes are there. An edge comes before where
// they arrive in so many segments that the receive buffer is almost full
// (tcp_rmem_pressure in include/net/tcp.h).
func (c *conn) hasAwaited() bool {
	if !c.has(isAwaitingMore) {
		return true
	}
	n, _ := unix.GetsockoptInt(c.client.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT)
	got, err := unix.IoctlGetInt(c.client.fd, unix.TIOCINQ)
	return err != nil || got >= n
}

// sniffed goes on with what was found.
func (c *conn) sniffed(f sniff.Finding) {
	if c.has(isAwaitingMore) {
		c.awaitBytes(1)
	}
	c.w.counters.Add(sniffedAs(&f), 1)
	if f.Name != "" && f.Encrypted {
		c.w.counters.Add(count.SniffedECH, 1)
	}
	c.w.r.Cancel(&c.timer) // it would fire before the dial's time is over
	c.active = c.w.r.Now()
	c.named(f.Name)
}

// sniffedAs is what counts a name that was found, or none.
func sniffedAs(f *sniff.Finding) count.Counter {
	switch {
	case f.Name == "":
		return count.SniffedNone
	case f.Protocol == sniff.HTTP:
		return count.SniffedHTTP
	}
	return count.SniffedTLS
}

// speaksFirst reports whether it is the server that does, at a port: its client has
// nothing to say before, and would wait in vain.
func speaksFirst(port uint16) bool {
	switch port {
	case 13, 17, 19, 37, // daytime, quote of the day, character generator, time
		21, 22, 23, 25, // FTP, SSH, telnet, SMTP
		110, 119, 143, 220, // POP3, NNTP, IMAP, IMAP3
		587, 2525, 4190, // submission of mail, ManageSieve
		2628, 3306, 3690, // DICT, MySQL, Subversion
		5038, 6600: // Asterisk, MPD
		return true
	}
	return 5900 <= port && port < 6000 // VNC, a port for each display
}
