package doctor

import (
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/redir/rules"
)

// TestListenersOfWays asserts that each way's port and each foreign address is
// looked at, and an address that neighbours would ask for in vain.
func TestListenersOfWays(t *testing.T) {
	s := gateway(t)
	look := func() (r Result) {
		_ = s.do(func() error { r = listeners(); return nil })
		return r
	}
	elsewhere, inLAN, six := netip.MustParseAddrPort("203.0.113.5:443"), netip.MustParseAddrPort("192.0.2.77:443"), netip.MustParseAddrPort("[2001:db8:7::7]:443")
	apply := func(addrs ...netip.AddrPort) {
		t.Helper()
		spec := rules.Spec{Ways: []rules.Way{{Ifaces: []string{"lan"}, Port: 4321, TCP: true}, {Ifaces: []string{"lan2"}, Port: 4322, TCP: true}}}
		for _, addr := range addrs {
			spec.Listeners = append(spec.Listeners, rules.Listener{Addr: addr, TCP: true})
		}
		if err := s.do(func() error { _, err := rules.Apply(spec); return err }); err != nil {
			t.Fatal(err)
		}
	}
	listen := func(at string) {
		t.Helper()
		err := s.do(func() error {
			config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
				return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1) })
			}}
			l, err := config.Listen(t.Context(), "tcp", at)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	apply(elsewhere, six)
	r := look()
	for _, want := range []string{"tcp port 4321", "tcp port 4322", "tcp 203.0.113.5:443", "tcp [2001:db8:7::7]:443"} {
		if r.Status != Fail || !strings.Contains(r.Detail, "nobody listens on "+want) {
			t.Errorf("says not of %s: %v", want, r)
		}
	}
	for _, at := range []string{":4321", ":4322", elsewhere.String(), six.String(), inLAN.String()} {
		listen(at)
	}
	if r := look(); r.Status != OK || !strings.Contains(r.Detail, "tcp port 4322, 203.0.113.5:443,tcp") {
		t.Errorf("%v", r)
	}
	apply(inLAN)
	if r := look(); r.Status != Warn || !strings.Contains(r.Detail, "192.0.2.77 is in the network of lan") {
		t.Errorf("%v", r)
	} else {
		sh(t, s, r.Remedy)
	}
	if r := look(); r.Status != OK {
		t.Errorf("after the remedy: %v", r)
	}
}
