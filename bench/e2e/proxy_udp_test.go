//go:build linux

package e2e

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
)

// association is a client's UDP through a proxy.
type association struct {
	*proxy
	near, far4, far6 *net.UDPConn
	client           atomic.Pointer[netip.AddrPort] // who sent the last datagram
}

// associate serves one association until its connection ends.
func (p *proxy) associate(c *net.TCPConn, in io.Reader, reply func(netip.AddrPort) error) {
	p.associations.Add(1)
	host := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr()
	told := host
	if a, err := netip.ParseAddr(p.relay); err == nil {
		if told = a; !a.IsUnspecified() {
			host = a
		}
	}
	a := association{proxy: p}
	for at, to := range map[netip.Addr]**net.UDPConn{host: &a.near, p.own4: &a.far4, p.own6: &a.far6} {
		err := p.ns.Do(func() (err error) {
			*to, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
			return err
		})
		if err != nil {
			return
		}
		defer (*to).Close()
	}
	port := a.near.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	if reply(netip.AddrPortFrom(told, port)) != nil {
		return
	}
	go a.carryOut(c)
	for _, far := range []*net.UDPConn{a.far4, a.far6} {
		go a.carryBack(far)
	}
	_, _ = io.Copy(io.Discard, in)
}

// carryOut passes the client's datagrams on, and ends the association's connection
// where the manner says so.
func (a *association) carryOut(control net.Conn) {
	b := make([]byte, 1<<16)
	for count := 1; ; count++ {
		n, from, err := a.near.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		a.client.Store(&from)
		dest, size := udpHeader(b[:n])
		if size == 0 {
			continue
		}
		far := a.far4
		if dest.Addr().Is6() {
			far = a.far6
		}
		_, _ = far.WriteToUDPAddrPort(b[size:n], dest)
		if a.drops > 0 && count >= a.drops && !a.dropped.Swap(true) {
			control.Close()
		}
	}
}

// carryBack passes on what destinations send.
func (a *association) carryBack(far *net.UDPConn) {
	b := make([]byte, 1<<16)
	for {
		n, from, err := far.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if to := a.client.Load(); err == nil && to != nil {
			from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
			_, _ = a.near.WriteToUDPAddrPort(append(appendEndpoint([]byte{0, 0, 0}, from), b[:n]...), *to)
		}
	}
}

// udpHeader reads a datagram's header (RFC 1928, 7); size 0: there is none that is
// understood.
func udpHeader(b []byte) (dest netip.AddrPort, size int) {
	switch {
	case len(b) >= 10 && b[2] == 0 && b[3] == 1:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[8:])), 10
	case len(b) >= 22 && b[2] == 0 && b[3] == 4:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[4:20])), binary.BigEndian.Uint16(b[20:])), 22
	}
	return dest, 0
}
