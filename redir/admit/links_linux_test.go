package admit

import (
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReadLinks asserts which routes of the kernel's make neighbours, in a
// namespace of its own.
func TestReadLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	t.Parallel()
	found := make(chan *links)
	go func() {
		defer close(found)
		runtime.LockOSThread() // never unlocked: the namespace ends with the thread
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		out, err := exec.Command("sh", "-e", "-c", `
			ip link set lo up
			ip link add lan type veth peer name host
			ip link add vlan type veth peer name tenant
			ip tuntap add tun mode tun
			for i in lan host vlan tenant tun; do ip link set $i up; done
			ip addr add 10.0.0.1/16 dev lan
			ip addr add fd00::1/64 dev lan nodad
			ip route add 10.9.0.0/24 dev vlan table 66
			ip addr add 10.7.0.1/24 dev tun
			ip route add 10.0.5.0/24 via 10.0.0.2
			ip route add 10.3.0.0/16 via 10.0.0.2
			ip route add 10.4.0.0/16 dev lan
			ip route add default via 10.0.0.2
			ip -6 route add fd00:0:0:4::/64 dev lan
			ip -6 route add fd00::5:0/112 via fd00::2
			ip -6 route add default via fd00::2`).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
			return
		}
		l, err := readLinks()
		if err != nil {
			t.Error(err)
			return
		}
		found <- l
	}()
	l, ok := <-found
	if !ok {
		return
	}
	for _, c := range []struct {
		a, b string
		join bool
	}{
		{"10.0.0.9", "10.0.1.9", true},
		{"10.0.0.9", "10.0.5.9", false}, // behind a router
		{"10.0.5.8", "10.0.5.9", false},
		{"10.3.0.8", "10.3.0.9", false},
		{"10.4.0.8", "10.4.0.9", true},
		{"10.7.0.8", "10.7.0.9", false}, // by a tunnel, which ends here
		{"10.9.0.8", "10.9.0.9", true},
		{"192.0.2.8", "192.0.2.9", false},
		{"fd00::8", "fd00::9", true},
		{"fd00::5:8", "fd00::9", false},
		{"fd00:0:0:4::8", "fd00:0:0:4::9", true},
		{"2001:db8::8", "2001:db8::9", false},
	} {
		if join := l.join(netip.MustParseAddr(c.a), netip.MustParseAddr(c.b)); join != c.join {
			t.Errorf("%s and %s: %v", c.a, c.b, join)
		}
	}
}
