package compare

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// checkSizesOf are the datagram sizes tried: the least, around one packet of MTU
// 1500, several packets, the greatest; through SOCKS5 what leaves room for a header.
func checkSizesOf(socks bool) []int {
	greatest := 65507
	if socks {
		greatest -= 10 // RFC 1928, 7: with an IPv4 address
	}
	return []int{0, 1, 512, 1472, 1473, 9000, greatest}
}

// checkUDP asks the UDP questions with one client socket and two servers.
func (p *peer) checkUDP() []Check {
	dest := otherServers()
	if p.perPort { // it has one destination only
		dest[0] = netip.MustParseAddr(serverAddress)
	}
	var servers []*net.UDPConn
	defer func() {
		for _, s := range servers {
			_ = s.Close()
		}
	}()
	for _, a := range dest {
		s, err := p.udpEcho(netip.AddrPortFrom(a, p.dest()+portCheck))
		if err != nil {
			return []Check{answer(checkSizes, err)}
		}
		servers = append(servers, s)
	}
	var client *net.UDPConn
	if err := p.lab.Client.Do(func() (err error) {
		client, err = net.ListenUDP("udp4", nil)
		return err
	}); err != nil {
		return []Check{answer(checkSizes, err)}
	}
	defer client.Close()
	first := netip.AddrPortFrom(dest[0], p.dest()+portCheck)
	second := netip.AddrPortFrom(dest[1], p.dest()+portCheck)
	var sizes error
	for _, size := range checkSizesOf(p.socks) {
		sizes = errors.Join(sizes, checkSize(client, first, size))
	}
	seen, source := askSeen(client, first)
	seenToo, sourceToo := askSeen(client, second)
	mapping := errors.Join(source, sourceToo)
	if p.socks && seenToo.IsValid() { // the server's machine has the destinations' addresses, and takes each to itself
		seenToo = netip.AddrPortFrom(seen.Addr(), seenToo.Port())
	}
	if mapping == nil && seen != seenToo {
		mapping = fmt.Errorf("one server saw %s, another %s", seen, seenToo)
	}
	return []Check{answer(checkSizes, sizes), answer(checkSource, errors.Join(source, sourceToo)), answer(checkMapping, mapping)}
}

// askText asks the echo for the address that it sees the client at.
const askText = "whom do you see?"

// udpEcho returns datagrams until it is closed.
func (p *peer) udpEcho(at netip.AddrPort) (conn *net.UDPConn, err error) {
	err = p.lab.Server.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
		return err
	})
	if err != nil {
		return nil, err
	}
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			reply := b[:n]
			if string(reply) == askText {
				reply = []byte(from.String())
			}
			_, _ = conn.WriteToUDPAddrPort(reply, from) // the client sees what is missing
		}
	}()
	return conn, nil
}

func checkSize(client *net.UDPConn, to netip.AddrPort, size int) error {
	want := bytes.Repeat([]byte{'d'}, size)
	got, err := ask(client, to, want)
	if err != nil {
		return fmt.Errorf("%d bytes: %w", size, err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes came back as %d", size, len(got))
	}
	return nil
}

// askSeen returns the address that the server sees.
func askSeen(client *net.UDPConn, server netip.AddrPort) (netip.AddrPort, error) {
	got, err := ask(client, server, []byte(askText))
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.ParseAddrPort(string(got))
}

// ask sends one datagram and takes the next that arrives, whose source must be the
// address that was asked.
func ask(client *net.UDPConn, to netip.AddrPort, b []byte) ([]byte, error) {
	if _, err := client.WriteToUDPAddrPort(b, to); err != nil {
		return nil, err
	}
	if err := client.SetReadDeadline(time.Now().Add(checkWait)); err != nil {
		return nil, err
	}
	got := make([]byte, 1<<16)
	n, from, err := client.ReadFromUDPAddrPort(got)
	switch {
	case err != nil:
		return nil, errors.New("no reply")
	case netip.AddrPortFrom(from.Addr().Unmap(), from.Port()) != to:
		return nil, fmt.Errorf("asked %s, the reply came from %s", to, from)
	}
	return got[:n], nil
}
