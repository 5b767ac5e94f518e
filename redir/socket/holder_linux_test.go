package socket

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestParseProcAddr(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:3039":                         "127.0.0.1:12345",
		"00000000:0035":                         "0.0.0.0:53",
		"00000000000000000000000001000000:0050": "[::1]:80",
		"0000000000000000FFFF00000100007F:0050": "127.0.0.1:80",
	} {
		if got, ok := parseProcAddr(text); !ok || got.String() != want {
			t.Errorf("%s: %s, %v, want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", ":", "0100007F", "0100007:3039", "XX00007F:3039", "0100007F:FFFFF"} {
		if got, ok := parseProcAddr(text); ok {
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
	if holder := HolderOf("tcp", addr); !strings.Contains(holder, "pid "+strconv.Itoa(os.Getpid())) {
		t.Errorf("holder of %s: %q", addr, holder)
	}
	l.Close()
	if holder := HolderOf("tcp", addr); holder != "" {
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
	if holder := HolderOf("tcp", netip.MustParseAddrPort(l.Addr().String())); holder != want {
		t.Errorf("%q, want %q", holder, want)
	}
}
