package ipfix

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"sluice/redir/count"
	"sluice/redir/record"
	"sluice/redir/resolve"
)

// collector is a socket and what it makes of what comes there.
type collector struct {
	conn *net.UDPConn
	decoder
}

func collect(t *testing.T) *collector {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &collector{conn, decoder{templates: map[uint16][]element{}}}
}

func (c *collector) port() uint16 { return c.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

func (c *collector) take(t *testing.T) {
	t.Helper()
	m := make([]byte, 1<<16)
	c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := c.conn.Read(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.message(m[:n]); err != nil {
		t.Fatal(err)
	}
}

func TestExporterSendsWhatHasRoomTogether(t *testing.T) {
	c := collect(t)
	e, err := New(resolve.Target{Host: "127.0.0.1", Port: c.port()}, 0, wall, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	e.Flush() // nothing
	f := flow(record.ConnID(0, 1, 1), "10.0.0.5:4711", "192.0.2.7:443", "203.0.113.1:50001", count.ConnsFinished)
	const flows = 100
	for range flows {
		e.Put(&f)
	}
	e.Flush()
	messages := 0
	for ; len(c.records) < flows; messages++ {
		c.take(t)
	}
	if messages > flows/10 {
		t.Errorf("%d messages for %d records", messages, flows)
	}
}

// TestExporterLooksNamesUp: as long as there is no answer, and anew when told; what
// comes meanwhile is counted.
func TestExporterLooksNamesUp(t *testing.T) {
	c := collect(t)
	answers := map[int]error{0: errors.New("no such host")}
	asked := 0
	synctest.Test(t, func(t *testing.T) {
		e, err := New(resolve.Target{Host: "collector.example", Port: c.port()}, 0, wall, func(context.Context, string) ([]netip.Addr, error) {
			asked++
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, answers[asked-1]
		})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		f := flow(record.ConnID(0, 1, 1), "10.0.0.5:4711", "192.0.2.7:443", "203.0.113.1:50001", count.ConnsFinished)
		for range 3 {
			e.Put(&f)
			e.Flush()
		}
		if _, n, err := e.Counts(); n != 3 || err == nil || asked != 1 {
			t.Errorf("%d lost, %v, asked %d times", n, err, asked)
		}
		time.Sleep(lookupPause)
		e.Put(&f)
		e.Flush()
		answers[2] = errors.New("gone since")
		e.LookAgain()
		e.Put(&f)
		e.Flush()
		if sent, n, _ := e.Counts(); sent != 2 || n != 3 || asked != 3 {
			t.Errorf("%d lost, asked %d times", n, asked)
		}
	})
	c.sequence = 3 // those that were lost
	c.take(t)
	c.take(t)
	if len(c.records) != 2 {
		t.Errorf("%d records", len(c.records))
	}
}

func TestTemplatesAreSentAgain(t *testing.T) {
	c := collect(t)
	synctest.Test(t, func(t *testing.T) {
		e, err := New(resolve.Target{Host: "127.0.0.1", Port: c.port()}, 0, wall, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		f := flow(record.SessionID(0, 1), "10.0.0.5:4711", "192.0.2.7:443", "203.0.113.1:50001", count.FlowsIdle)
		for range 3 {
			e.Put(&f)
			e.Flush()
			time.Sleep(templatePeriod/2 + time.Second)
		}
	})
	for i, want := range []bool{true, false, true} {
		clear(c.templates)
		if !want {
			c.templates[layout{isUDP: true}.template()] = layout{isUDP: true}.elements()
		}
		before := len(c.templates)
		c.take(t)
		if got := len(c.templates) > before; got != want {
			t.Errorf("message %d has templates: %v", i, got)
		}
	}
}

func TestMark(t *testing.T) {
	e, err := New(resolve.Target{Host: "127.0.0.1", Port: 1}, 77, wall, nil)
	if errors.Is(err, unix.EPERM) {
		t.Skip("a mark needs root")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	raw, err := e.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		if mark, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK); err != nil || mark != 77 {
			t.Errorf("mark %d, %v", mark, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}
