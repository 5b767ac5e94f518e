package udp

import (
	"errors"
	"sync/atomic"
	"time"

	"sluice/loop"
)

const (
	// echoBurst and echoRate bound what a session may send from one service to
	// another: datagrams at once, and datagrams a second.
	echoBurst = 1000
	echoRate  = 20

	portDNS = 53
)

// errEcho says why a datagram went no further.
var errEcho = errors.New("two services answer each other without a pause")

// echoMeter damps two services that answer each other: one forged datagram, from
// the echo port of a client to that of a server, would go to and fro for ever, as
// fast as the way allows. Each datagram that it drops is one that goes round no
// more. It counts with a single time, so that any worker may count.
type echoMeter struct {
	until atomic.Int64 // when all that was sent would have been at echoRate, ns of Reactor.Now
}

// echoes reports whether m may be part of such a loop: it goes from one port at
// which services answer whatever comes (RFC 862 to 868, and TFTP and NTP, whose
// servers answer errors with errors, CVE-2024-2169) to another. Whoever asks has
// a port of his own, but some resolvers and NTP; those ask rarely, or questions.
func echoes(m *loop.Received) bool {
	return isService(m.Source.Port()) && isService(m.Dest.Port()) && !asksDNS(m)
}

func isService(port uint16) bool {
	switch port {
	case 7, 11, 13, 17, 19, 37, portDNS, 69, 123:
		return true
	}
	return false
}

// asksDNS reports whether m is a question to a DNS server (RFC 1035 section
// 4.1.1, QR).
func asksDNS(m *loop.Received) bool {
	const flagsAt, response = 2, 0x80
	return m.Dest.Port() == portDNS && len(m.Payload) > flagsAt && m.Payload[flagsAt]&response == 0
}

// passes counts so many datagrams at now, and reports whether they may go on.
func (e *echoMeter) passes(now int64, datagrams int) bool {
	const each = int64(time.Second) / echoRate
	until := max(e.until.Load(), now) + each*int64(datagrams)
	if until-now > echoBurst*each {
		return false
	}
	e.until.Store(until)
	return true
}
