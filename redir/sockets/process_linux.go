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

// InUse says what to do about a port of network (tcp, udp) at which nobody can
// listen, since it is in use: by another program, which it names as far as it is
// seen, or as a connection's own port.
func InUse(network string, addr netip.AddrPort) string {
	const remedy = "choose another port, or stop the other program"
	if holder := Holder(network, addr); holder != "" {
		return "held by " + holder + "; " + remedy
	}
	for s := range Here(network, network+"6") {
		if s.Local.Port() == addr.Port() && s.Remote.Port() != 0 && (addr.Addr().IsUnspecified() || s.Local.Addr() == addr.Addr()) {
			return fmt.Sprintf("it is the own port of a connection to %s, for another minute if that has ended: sysctl -w net.ipv4.ip_local_reserved_ports=%d keeps it from being one", s.Remote, addr.Port())
		}
	}
	return remedy
}
