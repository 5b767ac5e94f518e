//go:build linux

package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// closeHard closes with a reset.
func closeHard(c *net.TCPConn) {
	_ = c.SetLinger(0)
	c.Close()
}

// TestUnansweredDialsGiveWay asserts that where all places are taken by dials that
// nobody answers, a connection that can be served is.
func TestUnansweredDialsGiveWay(t *testing.T) {
	t.Parallel()
	const most = 8
	g := startGateway(t, setup{flags: []string{fmt.Sprintf("--max-conns=%d", most), "--client-dials=off", "--connect-timeout=1m", "--reactors=1"}})
	overWays(t, ways(), func(t *testing.T, w way) {
		echoTCP(t, g.Server, w.dest(0))
		filter(t, g.Server, fmt.Sprintf("tcp dport %d drop", w.port(1)))
		var holders []*net.TCPConn
		for range most {
			holders = append(holders, dialTCP(t, g.Client, w.dest(1)))
		}
		g.untilCounter(t, "conns_now", most)
		before := g.counters(t).number("gave_way_dialing")
		if err := exchange(dialTCP(t, g.Client, w.dest(0)), "can be served"); err != nil {
			t.Error(err)
		}
		if n := g.counters(t).number("gave_way_dialing") - before; n != 1 {
			t.Errorf("%d dials gave way for one connection", n)
		}
		if _, err := holders[0].Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("the one that waited longest got %v, want a reset", err)
		}
		for _, c := range holders {
			closeHard(c)
		}
	})
}

// TestLastingScarcity asserts that clients which no place can be had for wait for a
// moment, are refused when that has lasted, and are served again afterwards.
func TestLastingScarcity(t *testing.T) {
	t.Parallel()
	const most = 4
	g := startGateway(t, setup{flags: []string{fmt.Sprintf("--max-conns=%d", most), "--reactors=1"}})
	w := way{tproxy: true}
	echoTCP(t, g.Server, w.dest(0))
	var running []*net.TCPConn
	for range most {
		running = append(running, dialTCP(t, g.Client, w.dest(0)))
	}
	g.untilCounter(t, "conns_now", most)
	refusedAfter := func() time.Duration {
		begun := time.Now()
		c, err := inClient(g, w.dest(0))
		if err == nil {
			_, err = c.Read(make([]byte, 1))
			c.Close()
		}
		if !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("got %v, want a reset", err)
		}
		return time.Since(begun)
	}
	if took := refusedAfter(); took < 3*time.Second {
		t.Errorf("the first was refused after %v: it did not wait", took)
	}
	if took := refusedAfter(); took > 3*time.Second {
		t.Errorf("the second was refused after %v: it waited", took)
	}
	if c := g.counters(t); c.number("refused_scarce") != 2 || c.number("conns_now") != most {
		t.Errorf("counters: %v", c)
	}
	g.assertIdle(t)
	for i, c := range running {
		if err := exchange(c, "still there"); err != nil {
			t.Errorf("running connection %d: %v", i, err)
		}
	}
	running[0].Close()
	g.untilCounter(t, "conns_now", most-1)
	if err := exchange(dialTCP(t, g.Client, w.dest(0)), "served again"); err != nil {
		t.Error(err)
	}
}

// TestFDLimitChanges asserts that a limit which is lowered and raised while sluice
// runs is shared out anew.
func TestFDLimitChanges(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{flags: fewReactors()})
	for _, w := range ways() {
		echoTCP(t, g.Server, w.dest(0))
	}
	var old unix.Rlimit
	if err := unix.Prlimit(int(g.Process), unix.RLIMIT_NOFILE, nil, &old); err != nil {
		t.Fatal(err)
	}
	conns := 0
	for i, limit := range []uint64{uint64(g.base) + 50, old.Max} {
		if err := unix.Prlimit(int(g.Process), unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: old.Max}, nil); err != nil {
			t.Fatal(err)
		}
		until(t, "sluice notices", func() bool {
			return len(g.log.since(0, message("the fd limit was changed: what it carries is shared out anew"))) == i+1
		})
		last := g.log.since(0, message("the fd limit was changed: what it carries is shared out anew"))[i]
		if i == 0 && last.number("max_conns") > 25 || i == 1 && last.number("max_conns") <= conns {
			t.Errorf("limit %d: %v", limit, last)
		}
		conns = last.number("max_conns")
		for _, w := range ways() {
			c := dialTCP(t, g.Client, w.dest(0))
			if err := exchange(c, "served"); err != nil {
				t.Errorf("limit %d, %v: %v", limit, w, err)
			}
			c.Close()
		}
	}
}

// TestMemoryShort asserts that nothing new begins while memory is short, that what
// runs goes on, and that all is as before when memory is there again.
func TestMemoryShort(t *testing.T) {
	t.Parallel()
	meminfo := filepath.Join(t.TempDir(), "meminfo")
	available := func(kib int) {
		// In place, as sluice has it open. So much in all that what TCP holds is little.
		text := fmt.Sprintf("MemTotal:       %12d kB\nMemAvailable:   %12d kB\n", 1<<30, kib)
		f, err := os.OpenFile(meminfo, os.O_WRONLY|os.O_CREATE, 0o644)
		if err == nil {
			_, err = f.WriteAt([]byte(text), 0)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	available(1 << 29)
	unshare := needProgram(t, "unshare", "util-linux")
	g := startUDPGateway(t, setup{under: []string{unshare, "--mount", "sh", "-c",
		`mount --bind "$0" /proc/meminfo && exec "$@"`, meminfo}})
	w := way{tproxy: true}
	echoTCP(t, g.Server, w.dest(0))
	e := startEcho(t, g.Server, w.dest(1))
	running := dialTCP(t, g.Client, w.dest(0))
	if err := exchange(running, "before"); err != nil {
		t.Fatal(err)
	}
	available(1 << 24)
	until(t, "memory is short", func() bool {
		return len(g.log.since(0, message("memory is short: new connections and sessions wait, or are refused, until it is not"))) == 1
	})
	if err := exchange(running, "meanwhile"); err != nil {
		t.Error(err)
	}
	client := g.udpClient(t, w)
	until(t, "a session is refused", func() bool {
		_, _ = client.WriteToUDPAddrPort(payload(8), e.at)
		return g.counters(t).number("refused_memory_pressure") > 0
	})
	fresh := dialTCP(t, g.Client, w.dest(0))
	if err := exchange(fresh, "new"); !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
		t.Errorf("a new connection got %v, want a reset", err)
	}
	if n := g.counters(t).number("conns_now"); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	available(1 << 29)
	until(t, "memory is there", func() bool { return len(g.log.since(0, message("memory is no longer short"))) == 1 })
	if err := exchange(dialTCP(t, g.Client, w.dest(0)), "after"); err != nil {
		t.Error(err)
	}
	ask(t, client, e.at, payload(8))
}

// TestFloodStaysWithinTheLimit asserts that new UDP clients without end, on reactors
// that share one CPU, never take sluice to its fd limit, and that TCP goes on.
func TestFloodStaysWithinTheLimit(t *testing.T) {
	t.Parallel()
	const limit, room, reactors = 800, 20, 6
	g := startUDPGateway(t, setup{
		flags: []string{fmt.Sprintf("--reactors=%d", reactors)},
		under: []string{needProgram(t, "prlimit", "util-linux"), fmt.Sprintf("--nofile=%d:%[1]d", limit),
			needProgram(t, "taskset", "util-linux"), "--cpu-list", "0"},
	})
	w := way{tproxy: true}
	echoTCP(t, g.Server, w.dest(0))
	done := make(chan error, 1)
	go func() { done <- g.Client.Do(func() error { return floodNew(w.dest(1), 3*time.Second) }) }()
	most, exchanges := 0, 0
	for flooding := true; flooding; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			flooding = false
		default:
			c := dialTCP(t, g.Client, w.dest(0))
			if err := exchange(c, "beside"); err != nil {
				t.Errorf("TCP beside the flood: %v", err)
			}
			c.Close()
			most, exchanges = max(most, g.FDs()), exchanges+1
		}
	}
	c := g.counters(t)
	t.Logf("at most %d fds of %d, %d sessions, %d exchanges", most, limit, c.number("udp_sessions_opened"), exchanges)
	if most > limit-room {
		t.Errorf("%d fds, the limit is %d", most, limit)
	}
	if strings.Contains(g.log.String(), "too many open files") {
		t.Error("sluice came to its fd limit")
	}
	if c.number("udp_sessions_opened") < 1000 {
		t.Errorf("only %d sessions: no flood", c.number("udp_sessions_opened"))
	}
}

// floodNew sends a datagram of each of many clients to dest for a time, from inside
// their namespace.
func floodNew(dest netip.AddrPort, d time.Duration) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const headers = 20 + 8
	packet := make([]byte, headers+8)
	packet[0], packet[8], packet[9] = 0x45, 64, unix.IPPROTO_UDP
	first := netip.MustParsePrefix(lab.ClientNet4).Addr().As4()
	copy(packet[12:], first[:])
	to := dest.Addr().As4()
	copy(packet[16:], to[:])
	binary.BigEndian.PutUint16(packet[22:], dest.Port())
	binary.BigEndian.PutUint16(packet[24:], uint16(len(packet)-20))
	const burst, pause = 32, time.Millisecond
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for i, end := 0, time.Now().Add(d); time.Now().Before(end); <-ticker.C {
		for range burst {
			i++
			binary.BigEndian.PutUint16(packet[14:], uint16(i))
			binary.BigEndian.PutUint16(packet[20:], uint16(1024+i%50000))
			if err := unix.Sendto(fd, packet, 0, &unix.SockaddrInet4{Addr: to}); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return err
			}
		}
	}
	return nil
}

// TestStalledReadersWhileMemoryIsTight asserts that what readers leave unread is
// little while memory is tight, and that all of it arrives.
func TestStalledReadersWhileMemoryIsTight(t *testing.T) {
	t.Parallel()
	const n, each, most = 16, 8 << 20, 1 << 20 // connections; bytes: of each, and that each may have sent unread
	meminfo := filepath.Join(t.TempDir(), "meminfo")
	if err := os.WriteFile(meminfo, fmt.Appendf(nil, "MemTotal: %d kB\nMemAvailable: %d kB\n", 1<<30, 1<<30/10), 0o644); err != nil {
		t.Fatal(err)
	}
	unshare := needProgram(t, "unshare", "util-linux")
	g := startGateway(t, setup{plain: true, under: []string{unshare, "--mount", "sh", "-c",
		`mount --bind "$0" /proc/meminfo && exec "$@"`, meminfo}})
	pass(time.Second) // until sluice has looked
	want := digestOf(7, each)
	var readers []*net.TCPConn
	var writers []*countingConn
	var all sync.WaitGroup
	for i := range n {
		client, server := g.pair(t, ways()[i%4])
		_, _ = client.SetDeadline(time.Now().Add(transferTime)), server.SetDeadline(time.Now().Add(transferTime))
		control(t, client, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10) })
		control(t, server, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10) })
		readers, writers = append(readers, client), append(writers, &countingConn{TCPConn: server})
	}
	for _, w := range writers {
		all.Go(func() {
			if _, err := send(w, 7, each, false); err != nil {
				t.Error(err)
			}
			_ = w.CloseWrite()
		})
	}
	last, stopped := int64(-1), time.Now()
	until(t, "the writers stop", func() bool {
		sum := int64(0)
		for _, w := range writers {
			sum += w.written.Load()
		}
		if sum != last {
			last, stopped = sum, time.Now()
		}
		return last > 0 && time.Since(stopped) > time.Second
	})
	if last/n > most {
		t.Errorf("each writer sent %d bytes that nobody read", last/n)
	}
	for i, r := range readers {
		if sum, got, err := receive(r); err != nil || got != each || sum != want {
			t.Errorf("reader %d got %d bytes, %v", i, got, err)
		}
	}
	all.Wait()
}
