package neighbour

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long the table may take for a change.
const patience = 10 * time.Second

// inNamespace runs f on a thread in a network namespace of its own.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the namespace ends with the thread
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}

// ip runs commands of ip, one a line; one that fails ends the goroutine.
func ip(t *testing.T, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-e", "-c", script).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", script, err, out)
		runtime.Goexit()
	}
}

// has waits until the table knows the address as it should: "" for not at all.
func (table *Table) has(t *testing.T, addr, want string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		got = ""
		if mac, ok := table.MAC(netip.MustParseAddr(addr)); ok {
			got = fmt.Sprintf("%x", mac)
		}
		if got == want {
			return
		}
	}
	t.Errorf("%s: %q, want %q", addr, got, want)
}

// links are two Ethernet links with their addresses.
const links = `
	ip link set lo up
	ip link add lan type veth peer name host
	ip link add vlan type veth peer name tenant
	for i in lan host vlan tenant; do ip link set $i up; done
	ip addr add 10.0.0.1/24 dev lan
	ip addr add fd00::1/64 dev lan nodad
`

func TestTableFollowsTheKernel(t *testing.T) {
	t.Parallel()
	inNamespace(t, func() {
		ip(t, links+`
			ip neigh add 10.0.0.2 dev lan lladdr 02:00:00:00:00:02
			ip neigh add fd00::2 dev lan lladdr 02:00:00:00:00:62 nud stale
			ip neigh add fe80::2 dev lan lladdr 02:00:00:00:00:62
			ip neigh add fe80::2 dev vlan lladdr 02:00:00:00:00:62
			ip neigh add fe80::3 dev lan lladdr 02:00:00:00:00:03
			ip neigh add fe80::3 dev vlan lladdr 02:00:00:00:00:04
			ip neigh add proxy 10.0.0.9 dev lan`)
		table, err := New(func(err error) { t.Error(err) })
		if err != nil {
			t.Error(err)
			return
		}
		defer table.Close()
		table.has(t, "10.0.0.2", "020000000002")
		table.has(t, "fd00::2", "020000000062")
		table.has(t, "fe80::2", "020000000062") // on both links
		table.has(t, "fe80::3", "")             // which of the two?
		table.has(t, "10.0.0.3", "")
		table.has(t, "10.0.0.9", "")
		ip(t, `
			ip neigh add 10.0.0.3 dev lan lladdr 02:00:00:00:00:03 nud reachable
			ip neigh add fd00::3 dev lan lladdr 02:00:00:00:00:63
			ip neigh del fe80::3 dev vlan
			ip neigh change 10.0.0.2 dev lan lladdr 02:00:00:00:00:22
			ip neigh del fd00::2 dev lan`)
		table.has(t, "10.0.0.3", "020000000003")
		table.has(t, "fd00::3", "020000000063")
		table.has(t, "fe80::3", "020000000003")
		table.has(t, "10.0.0.2", "020000000022")
		table.has(t, "fd00::2", "")
		ip(t, `ip neigh change 10.0.0.3 dev lan nud failed`)
		table.has(t, "10.0.0.3", "")
		ip(t, `ip link set lan down`)
		table.has(t, "10.0.0.2", "")
	})
}

// TestLostMessages: the updates end as they do after ENOBUFS, with messages lost.
func TestLostMessages(t *testing.T) {
	t.Parallel()
	inNamespace(t, func() {
		ip(t, links+`ip neigh add 10.0.0.2 dev lan lladdr 02:00:00:00:00:02`)
		table := &Table{onError: func(err error) { t.Error(err) }, done: make(chan struct{}), ended: make(chan struct{})}
		f := follower{table: table}
		if err := f.read(); err != nil {
			t.Error(err)
			return
		}
		close(f.end) // the library closes updates
		for range f.updates {
		}
		f.end = make(chan struct{})
		ip(t, `
			ip neigh del 10.0.0.2 dev lan
			ip neigh add fd00::2 dev lan lladdr 02:00:00:00:00:62`)
		go func() {
			table.has(t, "10.0.0.2", "")
			table.has(t, "fd00::2", "020000000062")
			table.Close()
		}()
		f.run() // on this thread, and so in this namespace
	})
}

func TestLookupAllocatesNothing(t *testing.T) {
	table := &Table{}
	known := map[netip.Addr][6]byte{netip.MustParseAddr("fd00::2"): {2}}
	table.known.Store(&known)
	addr, none := netip.MustParseAddr("fd00::2"), (*Table)(nil)
	if n := testing.AllocsPerRun(100, func() { table.MAC(addr); none.MAC(addr) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
