package torture

import (
	"context"
	"net/netip"
	"time"

	"sluice/bench/dgram"
	"sluice/bench/lab"
)

// spoofer sends datagrams that each bear another source: the addresses of the
// client's prefix, all of them on one port before the next port's turn. One goroutine.
type spoofer struct {
	v6   bool
	to   netip.AddrPort
	size int // bytes; may be 0
	rate int // datagrams a second; 0: as fast as they go
	sent int
}

const (
	// spoofedPort is the first source port.
	spoofedPort = 2000
	// addressesPerPort is how many sources share a port: the hosts of ClientNet4.
	addressesPerPort = 65_534
	// spoofBatch is how many datagrams one call sends.
	spoofBatch = 64
)

// send sends n datagrams from as many sources, inside the client.
func (f *spoofer) send(ctx context.Context, client *lab.Namespace, n int) error {
	return client.Do(func() error {
		begin := time.Now()
		for done := 0; done < n && ctx.Err() == nil; done += addressesPerPort {
			if err := f.port(ctx, spoofedPort+uint16(done/addressesPerPort), min(n-done, addressesPerPort), begin); err != nil {
				return err
			}
		}
		return nil
	})
}

// port sends n datagrams from the addresses of one port.
func (f *spoofer) port(ctx context.Context, port uint16, n int, begin time.Time) error {
	local := netip.AddrPortFrom(netip.IPv4Unspecified(), port)
	if f.v6 {
		local = netip.AddrPortFrom(netip.IPv6Unspecified(), port)
	}
	sock, err := dgram.Open(dgram.Config{Local: local, Blocking: true, ReusePort: true, BufferSize: 1 << 20})
	if err != nil {
		return err
	}
	defer sock.Close()
	tx := dgram.NewSender(spoofBatch)
	data := make([]byte, f.size)
	for i := 0; i < n && ctx.Err() == nil; {
		if f.rate > 0 {
			ahead := time.Duration(f.sent)*time.Second/time.Duration(f.rate) - time.Since(begin)
			if ahead > time.Millisecond {
				time.Sleep(ahead) // the pace itself
			}
		}
		for ; i < n && !tx.Full(); i++ {
			tx.Add(data, 0, f.to, spoofed(f.v6, i))
		}
		sent, err := tx.Send(sock)
		if err != nil {
			return err
		}
		f.sent += sent
	}
	return nil
}

// spoofed is source i of a port.
func spoofed(v6 bool, i int) netip.Addr {
	n := i + 1 // without the prefix's first
	if v6 {
		a := netip.MustParsePrefix(lab.ClientNet6).Addr().As16()
		a[13], a[14], a[15] = byte(n>>16), byte(n>>8), byte(n)
		return netip.AddrFrom16(a)
	}
	a := netip.MustParsePrefix(lab.ClientNet4).Addr().As4()
	a[2], a[3] = byte(n>>8), byte(n)
	return netip.AddrFrom4(a)
}
