package udp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"sluice/redir/count"
	"sluice/redir/socket"

	"golang.org/x/sys/unix"
)

// holdPort has another service hold the port of a remote where write-back
// sockets would bind it.
func holdPort(t *testing.T, remote netip.AddrPort) {
	t.Helper()
	addr := netip.AddrPortFrom(documentation4, remote.Port())
	if remote.Addr().Is6() {
		addr = netip.AddrPortFrom(documentation6, remote.Port())
	}
	fd, err := unix.Socket(socket.Family(addr.Addr()), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := socket.SetOptions(fd, []socket.Option{socket.Transparent(addr.Addr())}); err != nil {
		t.Skipf("needs root: %v", err)
	}
	if err := socket.Bind(fd, addr); err != nil {
		t.Fatal(err)
	}
}

// TestWriteBackFallsBack sends replies as raw packets, of every size.
func TestWriteBackFallsBack(t *testing.T) {
	for _, family := range families {
		client, remote := newPeer(t, family.client), newPeer(t, family.remote)
		holdPort(t, remote.addr)
		s := newRelays(t, 1, 10, 8, time.Minute)
		s.inject(0, client.addr, remote.addr, []byte("x"))
		_, port := remote.take()
		for _, size := range append(sizes, 30_001) {
			want := bytes.Repeat([]byte{byte(size), 7}, size)[:size]
			remote.give(port, want)
			got, from := client.take()
			if !bytes.Equal(got, want) || from != remote.addr {
				t.Errorf("%d bytes: %d come back from %s, not %s", size, len(got), from, remote.addr)
			}
		}
		st := s.stats()
		if n := uint64(len(sizes)) + 1; st[count.WriteBackFallback] != n || st[count.DatagramsToClient] != n || st[count.DroppedWriteBack] != 0 {
			t.Errorf("counted %v", st)
		}
	}
}

// TestNarrowWay cuts replies of every size, of which none is longer than the least
// MTU on its way, beside those that need not be cut.
func TestNarrowWay(t *testing.T) {
	client, remote := newPeer(t, "[::1]:0"), newPeer(t, "[::1]:0")
	s := newRelays(t, 1, 10, 8, time.Minute)
	s.on(0, func() { s.workers[0].icmp.narrow.add(client.addr.Addr(), s.workers[0].r.Now()) })
	s.inject(0, client.addr, remote.addr, []byte("x"))
	_, port := remote.take()
	cut := append(sizes, mostWhole, mostWhole+1, mostFragment, mostFragment+1, 2*mostFragment-udpHeaderSize, 2*mostFragment, 30_001)
	for _, size := range cut {
		want := bytes.Repeat([]byte{byte(size), 7}, size)[:size]
		remote.give(port, want)
		if got, from := client.take(); !bytes.Equal(got, want) || from != remote.addr {
			t.Errorf("%d bytes: %d come back from %s, not %s", size, len(got), from, remote.addr)
		}
	}
	st := s.stats()
	if n := uint64(len(cut)); st[count.DatagramsToClient] != n || st[count.DroppedWriteBack] != 0 || st[count.WriteBackFallback] != 0 {
		t.Errorf("counted %v", st)
	}
}

// TestWriteBacksAreBounded has replies come from more ports than there may be
// sockets, all in one turn or in many.
func TestWriteBacksAreBounded(t *testing.T) {
	const bound, ports = 3, 12
	client := newPeer(t, "127.0.0.1:0")
	var remotes []peer
	for range ports {
		remotes = append(remotes, newPeer(t, "127.0.0.2:0"))
	}
	s := newRelays(t, 1, 10, bound, time.Minute)
	for range 3 {
		s.on(0, func() {
			for _, remote := range remotes {
				s.workers[0].put(&s.in, receivedFrom(client.addr, remote.addr))
			}
		})
		want := map[netip.AddrPort]bool{}
		s.on(0, func() { // the replies wait until all are there
			for _, remote := range remotes {
				_, port := remote.take()
				remote.give(port, []byte("y"))
				want[remote.addr] = true
			}
		})
		for range remotes {
			_, from := client.take()
			if !want[from] {
				t.Errorf("a reply from %s, or a second one", from)
			}
			delete(want, from)
		}
	}
	s.on(0, func() {
		if n := len(s.workers[0].toClient.writeBacks.all); n != bound {
			t.Errorf("%d sockets, the bound is %d", n, bound)
		}
	})
}

// TestWriteBacksAreGivenBack lets time pass.
func TestWriteBacksAreGivenBack(t *testing.T) {
	client, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 10, 8, time.Minute)
	s.inject(0, client.addr, remote.addr, []byte("x"))
	_, port := remote.take()
	remote.give(port, []byte("y"))
	client.take()
	s.on(0, func() {
		w := &s.workers[0].toClient.writeBacks
		if len(w.all) != 1 || !w.sweep.Armed() {
			t.Fatalf("%d sockets, sweep armed %v", len(w.all), w.sweep.Armed())
		}
		w.worker.r.Cancel(&w.sweep)
		w.Expired(s.workers[0].r.Now() + senderIdle)
		if len(w.all) != 0 || w.sweep.Armed() {
			t.Errorf("%d sockets are left, sweep armed %v", len(w.all), w.sweep.Armed())
		}
	})
	remote.give(port, []byte("z"))
	if got, _ := client.take(); string(got) != "z" {
		t.Errorf("afterwards: %q", got)
	}
}

// TestWriteBackReceivesNothing writes to all that a write-back socket might be
// found by.
func TestWriteBackReceivesNothing(t *testing.T) {
	client, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 10, 8, time.Minute)
	s.inject(0, client.addr, remote.addr, []byte("x"))
	_, port := remote.take()
	remote.give(port, []byte("y"))
	_, from := client.take()
	client.give(from, []byte("to the address that it bears"))
	remote.take()
	s.on(0, func() {
		for _, b := range s.workers[0].toClient.writeBacks.all {
			if socket.HasInput(b.fd) {
				t.Errorf("the socket of %v received something", b.key)
			}
		}
	})
}

// TestUDPHeader sums as RFC 1071 says, two bytes at a time.
func TestUDPHeader(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range [][2]string{{"198.51.100.1:53", "10.0.0.1:4000"}, {"[2001:db8::5]:53", "[fe80::1]:4000"}} {
		source, dest := netip.MustParseAddrPort(c[0]), netip.MustParseAddrPort(c[1])
		for size := range 200 {
			payload := make([]byte, size)
			for i := range payload {
				payload[i] = byte(r.Uint32())
			}
			if size%5 == 0 {
				clear(payload)
			}
			var header [udpHeaderSize]byte
			putUDPHeader(header[:], source, dest, payload)
			length := udpHeaderSize + size
			packet := append(source.Addr().AsSlice(), dest.Addr().AsSlice()...)
			packet = append(packet, 0, unix.IPPROTO_UDP, byte(length>>8), byte(length))
			packet = append(append(packet, header[:]...), payload...)
			if len(packet)%2 == 1 {
				packet = append(packet, 0)
			}
			sum := uint32(0)
			for i := 0; i < len(packet); i += 2 {
				sum += uint32(binary.BigEndian.Uint16(packet[i:]))
			}
			for sum > 0xffff {
				sum = sum>>16 + sum&0xffff
			}
			if sum != 0xffff || binary.BigEndian.Uint16(header[6:]) == 0 {
				t.Fatalf("%s, %d bytes: header %x sums to %x", source, size, header, sum)
			}
		}
	}
}
