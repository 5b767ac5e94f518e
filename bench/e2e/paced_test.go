//go:build linux

package e2e

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// What paced traffic is, in bytes a second but for the last: by a connection up, by
// another down, by a session each way, and in how many connections a second.
const (
	rateUp     = 2_000_000
	rateDown   = 3_000_000
	rateUDP    = 600_000
	shortConns = 40
	shortBytes = 5000
)

// pacedWrite is how much is written at a time, in bytes.
const pacedWrite = 1000

// paced is traffic at a known pace.
type paced struct {
	*gateway
	over                 chan struct{}
	up, down, udp, short atomic.Int64 // times that something was written, or connected
}

// pacedSum is what was sent until a time, in bytes and connections.
type pacedSum struct {
	at                   time.Time
	up, down, udp, short float64
}

func (r *paced) sum() pacedSum {
	bytes := func(times *atomic.Int64) float64 { return float64(times.Load() * pacedWrite) }
	return pacedSum{time.Now(), bytes(&r.up), bytes(&r.down), bytes(&r.udp), float64(r.short.Load())}
}

// until is what was sent a second, from one time to another.
func (a pacedSum) until(b pacedSum) pacedSum {
	seconds := b.at.Sub(a.at).Seconds()
	return pacedSum{b.at, (b.up - a.up) / seconds, (b.down - a.down) / seconds, (b.udp - a.udp) / seconds, (b.short - a.short) / seconds}
}

func (r *paced) end() { close(r.over) }

// begin starts all of it.
func (r *paced) begin(t *testing.T) {
	four, six := way{}, way{v6: true, tproxy: true}
	up, sink := r.pair(t, four)
	source, down := r.pair(t, six)
	for _, c := range []*net.TCPConn{up, sink, source, down} {
		_ = c.SetDeadline(time.Now().Add(transferTime))
	}
	go discard(sink)
	go discard(source)
	part, few := payload(pacedWrite), payload(shortBytes)
	r.keep(rateUp/pacedWrite, &r.up, func() error { _, err := up.Write(part); return err })
	r.keep(rateDown/pacedWrite, &r.down, func() error { _, err := down.Write(part); return err })

	echo := startEcho(t, r.Server, six.dest(1))
	socket := listenUDP(t, r.Client, netip.AddrPortFrom(six.normal(), 0))
	_ = socket.SetDeadline(time.Time{})
	r.keep(rateUDP/pacedWrite, &r.udp, func() error { _, err := socket.WriteToUDPAddrPort(part, echo.at); return err })
	serveTCP(t, r.Server, four.dest(2), discard)
	for range 4 {
		r.keep(shortConns/4, &r.short, func() error {
			c, err := r.callFrom(four.normal(), four.dest(2))
			if err == nil {
				_, err = c.Write(few)
				c.Close()
			}
			return err
		})
	}
}

// callFrom connects as a client.
func (r *paced) callFrom(client netip.Addr, to netip.AddrPort) (c *net.TCPConn, err error) {
	err = r.Client.Do(func() (err error) {
		c, err = connect(netip.AddrPortFrom(client, 0), to)
		return err
	})
	return c, err
}

func discard(c *net.TCPConn) {
	buf := make([]byte, chunk)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

// keep does something so many times a second, until the end, and counts: what is late
// is made up for.
func (r *paced) keep(perSecond int, count *atomic.Int64, do func() error) {
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		begun, done := time.Now(), 0
		for {
			select {
			case <-r.over:
				return
			case <-tick.C:
			}
			for ; done < int(time.Since(begun).Seconds()*float64(perSecond)); done++ {
				if do() != nil {
					return
				}
				count.Add(1)
			}
		}
	}()
}
