package rules

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// netns is a nameless network namespace with one thread of its own. It ends
// with the test, whatever becomes of that.
type netns struct {
	t     testing.TB
	calls chan func()
	ended chan struct{} // closed at the test's end, when nobody takes calls any more
	fd    int
}

func newNetns(t testing.TB) *netns {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	n := &netns{t: t, calls: make(chan func()), ended: make(chan struct{})}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			n.fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		ready <- err
		n.serve()
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(n.ended); unix.Close(n.fd) })
	n.sh("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0; ip link set lo up")
	return n
}

// thread is another thread in the same namespace.
func (n *netns) thread() *netns {
	n.t.Helper()
	other := &netns{t: n.t, calls: make(chan func()), ended: make(chan struct{})}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread()
		ready <- unix.Setns(n.fd, unix.CLONE_NEWNET)
		other.serve()
	}()
	if err := <-ready; err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { close(other.ended) })
	return other
}

// serve runs on the namespace's thread what it is asked to, to the end of the test.
func (n *netns) serve() {
	for {
		select {
		case call := <-n.calls:
			call()
		case <-n.ended:
			return
		}
	}
}

// ask runs f on the namespace's thread; after the test it does not, and fails.
func (n *netns) ask(f func()) error {
	done := make(chan struct{})
	select {
	case n.calls <- func() { defer close(done); f() }:
		<-done
		return nil
	case <-n.ended:
		return net.ErrClosed
	}
}

// do runs f on the namespace's thread; f may end the test.
func (n *netns) do(f func()) {
	n.t.Helper()
	done := make(chan struct{})
	n.calls <- func() { defer close(done); f() }
	<-done
	if n.t.Failed() {
		n.t.FailNow()
	}
}

// sh runs a shell script in the namespace.
func (n *netns) sh(script string) string {
	n.t.Helper()
	out, err := n.try(script)
	if err != nil {
		n.t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	return out
}

func (n *netns) try(script string) (out string, err error) {
	n.do(func() {
		var bytes []byte
		bytes, err = exec.Command("sh", "-ec", script).CombinedOutput()
		out = string(bytes)
	})
	return out, err
}

// join connects two namespaces with a veth pair.
func join(a, b *netns, nameA, nameB string) {
	a.do(func() {
		link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: nameA}, PeerName: nameB, PeerNamespace: netlink.NsFd(b.fd)}
		if err := netlink.LinkAdd(link); err != nil {
			a.t.Error(err)
		}
	})
}

// state is everything of the namespace that rules may change.
func (n *netns) state() string {
	n.t.Helper()
	text := n.listed()
	n.do(func() {
		for _, root := range []string{"/proc/sys/net/ipv4", "/proc/sys/net/ipv6", "/proc/sys/net/bridge"} {
			_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.Type().IsRegular() && !strings.Contains(path, "stable_secret") && !volatile(path) {
					value, _ := os.ReadFile(path)
					text += fmt.Sprintf("%s=%s", path, value)
				}
				return nil
			})
		}
	})
	return text
}

// listed is its tables, rules and routes.
func (n *netns) listed() string {
	n.t.Helper()
	return n.sh("nft list ruleset; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all")
}

// volatile settings count or are machine-wide.
func volatile(path string) bool {
	for _, part := range []string{"/route/flush", "_mem", "random", "fib_", "inet_peer", "/neigh/"} {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}

// wait polls for a condition.
func wait(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// differ shows the lines in which two states differ.
func differ(before, after string) string {
	var b strings.Builder
	have := map[string]int{}
	for line := range strings.Lines(before) {
		have[line]++
	}
	for line := range strings.Lines(after) {
		if have[line]--; have[line] < 0 {
			b.WriteString("+ " + line)
		}
	}
	for line, count := range have {
		if count > 0 {
			b.WriteString("- " + line)
		}
	}
	return b.String()
}
