package rules

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// looked is what Look says in the namespace.
func (w *world) looked(i *Installed) (s State) {
	w.t.Helper()
	w.gateway.do(func() {
		var err error
		if s, err = i.Look(); err != nil {
			w.t.Fatal(err)
		}
	})
	return s
}

// TestLook: rules that are in place stand well, those that others take from are
// amiss until the watcher has put them back, and a look changes nothing.
func TestLook(t *testing.T) {
	w := newWorld(t)
	spec := Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Sources: Sources{Clients: true}}
	i := w.install(spec)
	if s := w.looked(i); len(s.Amiss) > 0 || !slices.Equal(s.Zones, []int{Zone}) {
		t.Errorf("installed: %+v", s)
	}
	w.gateway.sh("ip rule del fwmark 1/1 lookup 100")
	if s := w.looked(i); len(s.Amiss) != 1 || !strings.Contains(s.Amiss[0], "ip rule add") {
		t.Errorf("without the rule: %+v", s)
	}
	if out := w.gateway.sh("ip rule"); strings.Contains(out, "fwmark 0x1/0x1 lookup 100") {
		t.Errorf("a look has put back what was missing:\n%s", out)
	}
	w.remove(i)
	if s := w.looked(i); len(s.Amiss) != 1 {
		t.Errorf("removed: %+v", s)
	}
}

// TestLookWhileChanged: a look waits for nobody.
func TestLookWhileChanged(t *testing.T) {
	i := &Installed{}
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, err := i.Look(); !errors.Is(err, ErrBusy) {
		t.Errorf("%v, want %v", err, ErrBusy)
	}
}

// TestLookAtQuarrel: while somebody undoes each repair, the rules are amiss, though
// they are there at the time of the look.
func TestLookAtQuarrel(t *testing.T) {
	w := newWorld(t)
	i := w.install(Spec{TCPPort: proxyPort, Ifaces: []string{"lan"}})
	watcher := watch{installed: i, report: func(Repair, error) {}, timer: time.NewTimer(time.Hour)}
	watcher.quarrel.wait = shortestWait
	for range 2 {
		watcher.quarrel.recent = append(watcher.quarrel.recent, time.Now())
	}
	w.gateway.sh("ip rule del fwmark 1/1 lookup 100")
	w.gateway.do(watcher.look)
	if s := w.looked(i); len(s.Amiss) != 1 || !strings.Contains(s.Amiss[0], "again and again") {
		t.Errorf("%+v", s)
	}
	w.gateway.do(watcher.look) // nothing is missing
	if s := w.looked(i); len(s.Amiss) > 0 {
		t.Errorf("afterwards: %+v", s)
	}
}

// BenchmarkLook is one look at rules of one interface, both families.
func BenchmarkLook(b *testing.B) {
	gateway := newNetns(b)
	gateway.sh("ip link add lan type veth peer name x; ip addr add 10.1.0.1/24 dev lan; ip link set lan up; ip link set x up")
	gateway.do(func() {
		i, err := Install(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}})
		if err != nil {
			b.Error(err)
			return
		}
		for b.Loop() {
			if _, err := i.Look(); err != nil {
				b.Error(err)
			}
		}
		if err := i.Close(); err != nil {
			b.Error(err)
		}
	})
}
