package sockets

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/prometheus/procfs"

	"sluice/redir/quote"
)

// Process finds a process that has the socket with this inode open; its name is
// whatever it calls itself. Zero: none that is seen from here.
func Process(inode uint64) (pid int, name string) {
	want := fmt.Sprintf("socket:[%d]", inode)
	all, _ := procfs.AllProcs() // none: no procfs
	for _, process := range all {
		targets, err := process.FileDescriptorTargets()
		if err != nil || !slices.Contains(targets, want) {
			continue
		}
		name, _ = process.Comm() // it may have ended
		return process.PID, name
	}
	return 0, ""
}

// Owner names that process for people; empty where none is seen.
func Owner(inode uint64) string {
	pid, name := Process(inode)
	if pid == 0 {
		return ""
	}
	return fmt.Sprintf("%s (pid %d)", quote.Name(name), pid)
}

// Holder names the process that has a socket of network (tcp, udp) without a
// peer at addr, or with its port where one of both is every address; empty where
// none is seen.
func Holder(network string, addr netip.AddrPort) string {
	tables := []string{network, network + "6"}
	if addr.Addr().Is6() {
		slices.Reverse(tables)
	}
	for s := range Here(tables...) {
		at := s.Local.Addr()
		if s.Remote.Port() != 0 || s.Local.Port() != addr.Port() || at != addr.Addr() && !at.IsUnspecified() && !addr.Addr().IsUnspecified() {
			continue
		}
		if owner := Owner(s.Inode); owner != "" {
			return owner
		}
	}
	return ""
}
