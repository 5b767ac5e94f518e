package rules

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWatchPutsBack wipes the rules in the ways in which a firewall does, where
// the kernel cannot keep it from that.
func TestWatchPutsBack(t *testing.T) {
	for _, can := range []ability{cannotOwn, canOwn} {
		t.Run(fmt.Sprint(can), func(t *testing.T) { watchPutsBack(t, can) })
	}
}

func watchPutsBack(t *testing.T, can ability) {
	n := newNetns(t)
	n.sh("nft add table ip other; sysctl -qw net.ipv4.ip_forward=0")
	before := n.state()
	var i *Installed
	n.do(func() {
		var err error
		if i, err = install(Spec{TCPPort: 1, UDPPort: 2, Exclude: prefixes("10.0.0.0/8"), Sysctl: true}, "pid 1", can); err != nil {
			t.Fatal(err)
		}
	})
	installed := listing(n)
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var reports []string
	watched := make(chan error)
	ready := make(chan struct{})
	watcher := n.thread()
	go func() {
		watcher.calls <- func() {
			close(ready)
			watched <- i.Watch(ctx, func(r Repair, err error) {
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					reports = append(reports, strings.Join(r.Missing, ", "))
				case !errors.Is(err, unix.ENETDOWN): // lo goes down below
					t.Error(err)
				}
			})
		}
	}()
	<-ready
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(reports)
	}
	for _, wipe := range []struct{ script, report string }{
		{"nft flush ruleset; nft add table ip other", "table inet sluice"},
		{"nft delete table inet sluice", "table inet sluice"},
		{"nft flush chain inet sluice prerouting", "parts of table inet sluice"},
		{"nft flush set inet sluice exclude4", "parts of table inet sluice"},
		{"nft insert rule inet sluice prerouting drop", "parts of table inet sluice"},
		{"ip rule del pref 89", "ip rule add fwmark 0x1/0x1 iif lo lookup main priority 89"},
		{"ip rule del pref 90", "ip rule add fwmark 0x1/0x1 lookup 100 priority 90"},
		{"ip -6 route flush table 100", "ip -6 route add local default dev lo table 100"},
	} {
		had := count()
		i.mu.Lock() // not while rules are looked at: what is put back before it is missed is not reported
		n.sh(wipe.script)
		i.mu.Unlock()
		wait(t, "the rules to come back after "+wipe.script, func() bool { return count() > had })
		mu.Lock()
		if last := reports[len(reports)-1]; !strings.Contains(last, wipe.report) {
			t.Errorf("%s: reported %q", wipe.script, last)
		}
		mu.Unlock()
		if diff := differ(installed, listing(n)); diff != "" {
			t.Errorf("%s: came back otherwise:\n%s", wipe.script, diff)
		}
	}
	had := count()
	n.sh("nft add table ip noise; nft add chain ip noise c; nft delete table ip noise; ip link set lo down; ip link set lo up")
	wait(t, "the route that lo took along", func() bool { return count() > had })
	cancel()
	if err := <-watched; err != nil {
		t.Error(err)
	}
	n.do(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	if diff := differ(before, n.state()); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
}

// TestReplaceKeepsWhatItCan: our own changes are no news, counters go on, and a spec
// that cannot be leaves the old rules.
func TestReplaceKeepsWhatItCan(t *testing.T) {
	n := newNetns(t)
	before := n.state()
	n.do(func() {
		i, err := Install(Spec{TCPPort: 1, UDPPort: 2})
		if err != nil {
			t.Fatal(err)
		}
		old := mustRun(t, "nft list ruleset; ip rule; ip route show table all")
		for _, bad := range []Spec{{}, {TCPPort: 1, Table: 254}} {
			if err := i.Replace(bad); err == nil {
				t.Error("no error")
			}
		}
		if diff := differ(old, mustRun(t, "nft list ruleset; ip rule; ip route show table all")); diff != "" {
			t.Errorf("a refused spec changed:\n%s", diff)
		}
		if err := i.Replace(Spec{TCPPort: 3, Table: 200, Mark: 8, Mask: 8}); err != nil {
			t.Error(err)
		}
		if r, fault, err := i.mend(true); len(r.Missing) > 0 || fault != nil || err != nil {
			t.Errorf("after Replace: %q, %v, %v", r, fault, err)
		}
		now := mustRun(t, "nft list ruleset; ip rule; ip route show table all")
		if !strings.Contains(now, "fwmark 0x8/0x8 lookup 200") || strings.Contains(now, "lookup 100") || !strings.Contains(now, "tproxy to :3") {
			t.Errorf("replaced:\n%s", now)
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	if diff := differ(before, n.state()); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
}

// TestWatchAmidChanges: routes that come and go all the time do not keep the
// table from being put back, where it has no owner.
func TestWatchAmidChanges(t *testing.T) {
	n := newNetns(t)
	var i *Installed
	n.do(func() {
		var err error
		if i, err = install(Spec{TCPPort: 1}, "pid 1", cannotOwn); err != nil {
			t.Fatal(err)
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan error)
	n.thread().calls <- func() { watched <- i.Watch(ctx, func(Repair, error) {}) }
	n.sh(`for k in $(seq 2000); do ip route add 198.18.0.0/24 dev lo; ip route del 198.18.0.0/24 dev lo; sleep 0.01; done >/dev/null 2>&1 &
		churn=$!
		sleep 0.3
		nft delete table inet sluice
		for k in $(seq 50); do sleep 0.1; nft list table inet sluice >/dev/null 2>&1 && break; done
		kill $churn
		nft list table inet sluice`)
	cancel()
	if err := <-watched; err != nil {
		t.Error(err)
	}
	n.do(func() { _ = i.Close() })
}
