package udp

import (
	"cmp"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/greet"
	"sluice/redir/socket"
	"sluice/redir/upstream"
)

// mostHeard bounds what is read of a server at a time, in bytes: its answer, mostly.
const mostHeard = 512

// begin connects with the first of the server's addresses, unless the server is down.
func (a *association) begin() {
	if !a.asked && !a.way.Out.Usable(a.f.owner.r.Now()) {
		if !a.fallBack() {
			a.rest()
		}
		return
	}
	a.asked = false
	all := a.way.Out.Dests.For(a.f.client().Addr(), false)
	if len(all) == 0 {
		a.unreached(count.RefusedUnresolved, errNoServer)
		return
	}
	a.connect(all[0])
}

// connect begins the connection with an address of the server.
func (a *association) connect(server netip.AddrPort) {
	w := a.f.owner
	a.server, a.phase, a.state = server, connecting, greet.State{}
	fd, err := a.dial()
	if err != nil {
		a.next(upstream.CauseOf(err), err)
		return
	}
	a.control = fd
	w.shared.admission.Opened(fd)
	timeout := cmp.Or(a.way.Out.ConnectTimeout, w.set.ConnectTimeout)
	a.until = w.r.Now() + int64(timeout)
	w.r.Arm(&a.timer, a, timeout)
}

// dial starts the handshake with the server.
func (a *association) dial() (fd int, err error) {
	w := a.f.owner
	fd, errno := socket.New(socket.Family(a.server.Addr()), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if errno != 0 {
		return -1, errno
	}
	d := upstream.Dial{Path: &a.way.Path}
	if !d.Source.OfClients() {
		d.From = d.Source.For(netip.AddrPortFrom(a.server.Addr(), 0))
	}
	if fd, _, err = d.Connect(fd, a.server); err == nil {
		socket.SetKeepalive(fd, w.set.Keepalive)
		err = w.r.Add(fd, loop.Readable|loop.Writable|loop.ReadHangup, a)
	}
	if err != nil && fd >= 0 {
		unix.Close(fd)
	}
	return fd, err
}

// Ready hears of the connection.
func (a *association) Ready(ev loop.Events) {
	switch a.phase {
	case connecting:
		if errno := socket.TakeError(a.control); errno != 0 {
			a.next(upstream.CauseOf(errno), errno)
		} else if ev&loop.Writable != 0 {
			a.greet()
		}
	case greeting, granted:
		if ev&^loop.Writable != 0 {
			a.hear()
		}
	}
}

// greet tells the server all that it may be told at once.
func (a *association) greet() {
	a.phase = greeting
	now := a.f.owner.r.Now()
	if a.state = a.way.Out.Proxy.Begin(now); a.waits {
		a.state = greet.Waiting()
	}
	if a.state.IsTrial() {
		a.f.owner.r.Arm(&a.timer, a, min(greet.TrialPatience, time.Duration(a.until-now)))
	}
	a.say()
}

// say tells the server what is its turn, and reports whether it was taken. The
// address that datagrams will come from is left open, since a NAT on the way may
// change it (RFC 1928 section 7). Its family is that of where they go: Dante 1.4.2
// relays them to no other, but where it knows only the other.
func (a *association) say() bool {
	var b [greet.MostAppended]byte
	anywhere := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	if a.f.client().Addr().Is4() == a.other {
		anywhere = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	said := a.way.Out.Proxy.Append(b[:0], &a.state, greet.Associate(anywhere))
	if n, errno := socket.Send(a.control, said, 0); errno != 0 || n < len(said) { // a new socket has room for more
		a.brokeOff()
		return false
	}
	return true
}

// hear reads what the server says. After its answer that means nothing.
func (a *association) hear() {
	var b [mostHeard]byte
	for {
		n, errno := socket.Receive(a.control, b[:], 0)
		switch {
		case errno == unix.EAGAIN:
			return
		case (errno != 0 || n == 0) && a.phase == granted:
			a.lost()
			return
		case errno != 0 || n == 0:
			a.brokeOff()
			return
		case a.phase == greeting && !a.take(b[:n]):
			return
		case a.phase == greeting:
			upstream.AckNow(a.control) // Nagle's algorithm may hold the rest of the answer back until then
		}
	}
}

// take reads a part of the answer, and reports whether the connection goes on.
func (a *association) take(heard []byte) bool {
	proxy := a.way.Out.Proxy
	for {
		n, verdict := proxy.TakeBound(&a.state, heard, &a.bound)
		heard = heard[n:]
		switch verdict {
		case greet.More:
			return true
		case greet.Say:
			if !a.say() {
				return false
			}
		case greet.Done:
			return a.grant()
		default:
			a.refused(proxy.Failure(&a.state, verdict))
			return false
		}
	}
}

// grant opens the relay that the server has named, and reports whether it could.
func (a *association) grant() bool {
	w := a.f.owner
	at, ok := a.bound.AddrPort()
	if ok && at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(a.server.Addr(), at.Port())
	}
	if !ok || at.Port() == 0 || at.Addr().IsMulticast() {
		a.fail(count.FailedProxy, errNoRelay)
		return false
	}
	if a.waits {
		a.way.Out.Proxy.AsksFirst()
	}
	a.way.Out.Reached(w.r.Now())
	r, err := w.openRelay(a, at)
	if err != nil {
		a.fail(count.FailedNoResource, err)
		return false
	}
	w.r.Cancel(&a.timer)
	a.phase, a.heard, a.waits = granted, false, false
	return a.publish(r)
}

// Expired is when the server lets wait for too long.
func (a *association) Expired(now int64) {
	if a.state.IsTrial() && now < a.until {
		if a.state.HasMethod() {
			a.askWaiting()
		} else {
			a.f.owner.r.Arm(&a.timer, a, time.Duration(a.until-now))
		}
		return
	}
	a.next(count.FailedUpstreamTimeout, errLate)
}

// askWaiting connects again with the server of a trial that failed, to tell it one
// thing at a time.
func (a *association) askWaiting() {
	a.hangUp()
	a.waits = true
	a.connect(a.server)
}

// askOther connects again with a server that knows no addresses of a family, to name
// one of the other.
func (a *association) askOther() {
	a.hangUp()
	a.other = true
	a.connect(a.server)
}
