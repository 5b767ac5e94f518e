//go:build linux

package e2e

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What TestUDPSourceCrowd has: of each family, clients with as many ports each.
const (
	crowdClients = 75
	crowdPorts   = 1000
	crowdRounds  = 2
	// crowdAhead is how many datagrams may be under way: what all buffers hold.
	crowdAhead = 256
)

// crowd is many clients of one family, each of which asks from many ports. One
// socket has a port for all of them, and names the client in each message.
type crowd struct {
	w       way
	sockets []*net.UDPConn // by port
	under   chan struct{}  // a place for each datagram that is under way
	wrong   atomic.Int64   // answers that came to somebody else
	came    atomic.Int64
}

func (g *gateway) newCrowd(t *testing.T, w way) *crowd {
	c := &crowd{w: w, under: make(chan struct{}, crowdAhead)}
	option := [2]int{unix.SOL_IP, unix.IP_PKTINFO}
	if w.v6 {
		option = [2]int{unix.SOL_IPV6, unix.IPV6_RECVPKTINFO}
	}
	for i := range crowdPorts {
		conn := g.udpClientAt(t, netip.AddrPortFrom(w.pick("0.0.0.0", "::"), uint16(10_000+i)))
		control(t, conn, func(fd int) error { return unix.SetsockoptInt(fd, option[0], option[1], 1) })
		c.sockets = append(c.sockets, conn)
	}
	return c
}

// packetInfo is the control message that names a source (ip(7) IP_PKTINFO,
// ipv6(7) IPV6_PKTINFO).
func packetInfo(source netip.Addr) []byte {
	if source.Is4() {
		return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: source.As4()})
	}
	return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: source.As16()})
}

// destOf is the address that a message came to.
func destOf(oob []byte) netip.Addr {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) != 1 {
		return netip.Addr{}
	}
	data := messages[0].Data
	if messages[0].Header.Level == unix.SOL_IP {
		return netip.AddrFrom4([4]byte(data[8:12]))
	}
	return netip.AddrFrom16([16]byte(data[:16]))
}

// ask has each client ask once from each of its ports, and waits for all answers.
func (c *crowd) ask(t *testing.T, dest netip.AddrPort) {
	t.Helper()
	c.came.Store(0)
	var reading sync.WaitGroup
	for _, conn := range c.sockets {
		reading.Go(func() { c.read(conn) })
	}
	for i := range crowdClients {
		info := packetInfo(c.w.anyClient(i))
		for port, conn := range c.sockets {
			select {
			case c.under <- struct{}{}:
			case <-time.After(patience):
				t.Fatalf("%v: %d answers came", c.w, c.came.Load())
			}
			question := binary.BigEndian.AppendUint32(nil, uint32(i))
			question = binary.BigEndian.AppendUint32(question, uint32(port))
			if _, _, err := conn.WriteMsgUDPAddrPort(question, info, dest); err != nil {
				t.Fatal(err)
			}
		}
	}
	reading.Wait()
	if came := c.came.Load(); came != crowdClients*crowdPorts || c.wrong.Load() > 0 {
		t.Errorf("%v: %d answers came, want %d; %d to others", c.w, came, crowdClients*crowdPorts, c.wrong.Load())
	}
}

// read takes the answers to all clients at one port.
func (c *crowd) read(conn *net.UDPConn) {
	var data, oob [64]byte
	for range crowdClients {
		_ = conn.SetReadDeadline(time.Now().Add(2 * patience))
		n, controlled, _, _, err := conn.ReadMsgUDPAddrPort(data[:], oob[:])
		if err != nil {
			return
		}
		client, port := binary.BigEndian.Uint32(data[:]), binary.BigEndian.Uint32(data[4:])
		if n != 8 || destOf(oob[:controlled]) != c.w.anyClient(int(client)) || c.sockets[port] != conn {
			c.wrong.Add(1)
		}
		c.came.Add(1)
		<-c.under
	}
}

// startCrowdEcho answers each datagram with itself, and knows how many came from
// whom they should not have come from.
func startCrowdEcho(t *testing.T, g *gateway, w way) (wrong *atomic.Int64) {
	wrong = new(atomic.Int64)
	conn := listenUDP(t, g.Server, w.dest(0))
	_ = conn.SetDeadline(time.Time{})
	go func() {
		var data [64]byte
		for {
			n, from, err := conn.ReadFromUDPAddrPort(data[:])
			if err != nil {
				return
			}
			client, port := binary.BigEndian.Uint32(data[:]), binary.BigEndian.Uint32(data[4:])
			if from != netip.AddrPortFrom(w.anyClient(int(client)), uint16(10_000+port)) {
				wrong.Add(1)
			}
			_, _ = conn.WriteToUDPAddrPort(data[:n], from)
		}
	}()
	return wrong
}

// TestUDPSourceCrowd has 150,000 sessions at once within 20,000 fds, of both
// families, each of which asks and is answered while all the others are there.
// None is lost.
func TestUDPSourceCrowd(t *testing.T) {
	const sessions = 2 * crowdClients * crowdPorts
	s := sourced(divertCrowd, fmt.Sprintf("--udp-sessions=%d", sessions), "--udp-timeout=5m", "--client-sessions=off")
	s.under, s.plain = []string{needProgram(t, "prlimit", "util-linux"), "--nofile=20000"}, true
	g := startUDPGateway(t, s)
	begun := time.Now()
	var crowds []*crowd
	var misled []*atomic.Int64
	for _, w := range udpWays() {
		crowds = append(crowds, g.newCrowd(t, w))
		misled = append(misled, startCrowdEcho(t, g, w))
	}
	for range crowdRounds {
		for i, c := range crowds {
			c.ask(t, c.w.dest(0))
			if n := misled[i].Load(); n > 0 {
				t.Errorf("%v: %d questions had another source than they should have", c.w, n)
			}
		}
	}
	n := g.counters(t)
	if now, opened := n.number("udp_sessions_now"), n.number("udp_sessions_opened"); now != sessions || opened != sessions {
		t.Errorf("%d sessions, %d were opened, want %d", now, opened, sessions)
	}
	if fds := g.fds(); fds > 20_000 {
		t.Errorf("%d fds", fds)
	}
	t.Logf("%d sessions in %v: %d fds, %d MiB, CPU %v", sessions, time.Since(begun), g.fds(), g.memory()>>20, g.cpu())
	for _, name := range []string{"datagrams_to_upstream", "datagrams_to_client"} {
		if got := n.number(name); got != crowdRounds*sessions {
			t.Errorf("%s: %d, want %d", name, got, crowdRounds*sessions)
		}
	}
	for _, c := range []string{"dropped_reply", "dropped_send", "dropped_no_session", "dropped_flood", "dropped_write_back"} {
		if got := n.number(c); got != 0 {
			t.Errorf("%s: %d", c, got)
		}
	}
	g.signal(t, unix.SIGTERM) // their timeout is long
	g.assertExit(t)
}
