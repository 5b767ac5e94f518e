package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"sluice/cmd/sluice/confine"
	"sluice/redir/socket"
)

// relayCapabilities are what carrying traffic needs: transparent sockets, marks,
// raw sockets for replies; listeners below port 1024, and replies from there.
func relayCapabilities() confine.Set {
	return confine.Of(unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE)
}

// needs is what sluice run goes on to use once it is ready: its capabilities,
// news of addresses, questions about sockets, what names are resolved by, and on a
// reload the file, passwords, rule sets, how many ports there are, and the access
// log anew.
func (cmd *runCmd) needs() confine.Needs {
	n := confine.Needs{
		Capabilities: relayCapabilities(),
		Netlink:      []int{unix.NETLINK_ROUTE, unix.NETLINK_SOCK_DIAG},
		Read: slices.Concat(cmd.rereads(), cmd.resolverFiles(), []string{
			"/proc/sys/net/ipv4/ip_local_port_range", "/proc/sys/net/ipv4/ip_local_reserved_ports"}),
	}
	n.Make = cmd.accessLogDirs()
	if !n.Capabilities.Suffices(cmd.tryOptions) {
		n.Capabilities |= confine.Of(unix.CAP_NET_ADMIN)
	}
	return n
}

// needs is what the keeper goes on to use: the firewall and the routing, what
// procfs says of them, names of routing protocols, and, on a reload, the file and rule
// sets.
// Who may change sysctls changes those of the network.
func (k *keeper) needs() confine.Needs {
	n := confine.Needs{
		Capabilities: confine.Of(unix.CAP_NET_ADMIN),
		Netlink:      []int{unix.NETLINK_ROUTE, unix.NETLINK_NETFILTER, unix.NETLINK_SOCK_DIAG},
		Read: slices.Concat(k.cmd.rereads(), []string{"/proc", "/sys/class/net", "/sys/devices", "/sys/fs/cgroup",
			"/etc/iproute2", "/usr/lib/iproute2", "/usr/share/iproute2"}),
		Write: []string{"/proc/sys/net"},
	}
	return n
}

// rereads are where the files are that a reload reads.
func (cmd *runCmd) rereads() []string {
	all := append(cmd.finder.dirs(cmd.Config), cmd.routeDirs()...)
	slices.Sort(all)
	return slices.Compact(all)
}

// confine gives up what is not needed, as far as --confine says, and returns
// what holds, by name. What was asked for and does not hold is logged.
func (cmd *runCmd) confine(needs confine.Needs, log zerolog.Logger) (holds []string, err error) {
	time.Now().Local().Zone() // reads the zone's file, once
	if cmd.Confine == "off" {
		if cmd.User == "" {
			return nil, nil
		}
		kept, err := (needs.Capabilities | confine.Of(unix.CAP_NET_ADMIN)).Keep()
		return []string{"no_new_privs", kept.String()}, err
	}
	holds, failed := confine.Confine(needs)
	if failed == nil {
		return holds, nil
	}
	if cmd.Confine == "require" {
		return nil, fmt.Errorf("--confine require: %w", failed)
	}
	if cmd.User != "" {
		if _, err := needs.Capabilities.Keep(); err != nil {
			return nil, fmt.Errorf("--user %s: %w", cmd.User, err)
		}
	}
	for _, err := range each(failed) {
		log.Warn().Err(err).Msg("sluice is not confined as far as it might be")
	}
	return holds, nil
}

// each are the errors of errors.Join.
func each(err error) []error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	var all []error
	for _, err := range joined.Unwrap() {
		all = append(all, each(err)...)
	}
	return all
}

// tryOptions sets what every upstream socket and every listener of tproxy needs:
// a mark takes CAP_NET_ADMIN before Linux 5.17 (commit 079925cce1d0), a congestion
// control where it is not among those allowed to all.
func (cmd *runCmd) tryOptions() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, name := range []string{cmd.CongestionClient, cmd.CongestionUpstream} {
		if name != "" {
			err = errors.Join(err, socket.CheckCongestion(name))
		}
	}
	return errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, 1),
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1))
}
