package sockets

import (
	"iter"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestParseAddr(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:3039":                         "127.0.0.1:12345",
		"00000000:0035":                         "0.0.0.0:53",
		"00000000000000000000000001000000:0050": "[::1]:80",
		"0000000000000000FFFF00000100007F:0050": "127.0.0.1:80",
	} {
		if got, ok := parseAddr(text); !ok || got.String() != want {
			t.Errorf("%s: %s, %v, want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", ":", "0100007F", "0100007:3039", "XX00007F:3039", "0100007F:FFFFF"} {
		if got, ok := parseAddr(text); ok {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}

func TestHolderIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := netip.MustParseAddrPort(l.Addr().String())
	if holder := Holder("tcp", addr); !strings.Contains(holder, "pid "+strconv.Itoa(os.Getpid())) {
		t.Errorf("holder of %s: %q", addr, holder)
	}
	l.Close()
	if holder := Holder("tcp", addr); holder != "" {
		t.Errorf("holder of a free port: %q", holder)
	}
}

// TestHolderIsQuoted: a process is called what it likes, and a line of an error
// is no place for that.
func TestHolderIsQuoted(t *testing.T) {
	const comm = "/proc/self/comm"
	before, err := os.ReadFile(comm)
	if err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(comm, before[:len(before)-1], 0)
	if err := os.WriteFile(comm, []byte("\x1b[2J\nx (pid 1)"), 0); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := `"\x1b[2J\nx (pid 1)" (pid ` + strconv.Itoa(os.Getpid()) + ")"
	if holder := Holder("tcp", netip.MustParseAddrPort(l.Addr().String())); holder != want {
		t.Errorf("%q, want %q", holder, want)
	}
}

// TestHere finds a socket of each kind in its table,
// and reads no further than is wanted.
func TestHere(t *testing.T) {
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, want := range []Socket{
		{Table: "tcp", Local: netip.MustParseAddrPort(tcp.Addr().String()), State: Listening},
		{Table: "udp", Local: netip.MustParseAddrPort(udp.LocalAddr().String()), State: Unconnected},
	} {
		want.Remote = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		for place, all := range map[string]iter.Seq[Socket]{
			"here": Here("none", "tcp6", "tcp", "udp"),
			"of":   Of(os.Getpid(), "tcp", "udp"),
		} {
			found := false
			for s := range all {
				if inode := s.Inode; s.Table == want.Table && s.Local == want.Local {
					s.Inode, found = 0, true
					if s != want || inode == 0 {
						t.Errorf("%s: %+v with inode %d, want %+v", place, s, inode, want)
					}
					break // what follows is not read
				}
			}
			if !found {
				t.Errorf("%s: no %+v", place, want)
			}
		}
	}
}

// TestParse takes no line that is not one of a table.
func TestParse(t *testing.T) {
	const line = "  57: 0100007F:3039 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 64 1 0000000000000000 100 0 0 10 0"
	if s, ok := parse(line); !ok || s.Inode != 64 || s.State != Listening || s.Local.Port() != 12345 {
		t.Errorf("%+v, %v", s, ok)
	}
	for _, bad := range []string{
		"", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
		strings.Replace(line, "0A", "XX", 1), strings.Replace(line, " 64", " -", 1), strings.Replace(line, "0100007F", "01", 1), line[:60],
	} {
		if s, ok := parse(bad); ok {
			t.Errorf("%q was read as %+v", bad, s)
		}
	}
}

// TestInUse tells a connection's own port, also of one that has ended, from a
// listener's.
func TestInUse(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	own := netip.MustParseAddrPort(conn.LocalAddr().String())
	for _, at := range []netip.AddrPort{own, netip.AddrPortFrom(netip.IPv4Unspecified(), own.Port()), netip.AddrPortFrom(netip.IPv6Unspecified(), own.Port())} {
		if said := InUse("tcp", at); !strings.Contains(said, "a connection to "+l.Addr().String()) || !strings.Contains(said, "ip_local_reserved_ports="+strconv.Itoa(int(own.Port()))) {
			t.Errorf("%s: %q", at, said)
		}
	}
	conn.Close()
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	peer.Close() // what is left of conn waits in TIME_WAIT
	if said := InUse("tcp", own); !strings.Contains(said, "for another minute") {
		t.Errorf("after its end: %q", said)
	}
	if said := InUse("tcp", netip.MustParseAddrPort(l.Addr().String())); !strings.HasPrefix(said, "held by ") {
		t.Errorf("the listener: %q", said)
	}
	if said := InUse("udp", own); strings.Contains(said, "connection") {
		t.Errorf("UDP: %q", said)
	}
}
