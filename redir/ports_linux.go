package redir

import (
	"fmt"
	"math"
	"os"
	"strings"

	"sluice/redir/upstream"
)

// localPorts returns how many ports the kernel has for sockets that bind none,
// as those of UDP sessions. Both families share them: a socket of either counts
// as one of the other, since an IPv6 one might carry IPv4 (udp_v6_get_port and
// inet_rcv_saddr_equal in Linux 6.18). Where that cannot be read, nothing is
// known to bound them.
func localPorts() int {
	const dir = "/proc/sys/net/ipv4/"
	local, err := os.ReadFile(dir + "ip_local_port_range")
	if err != nil {
		return math.MaxInt
	}
	reserved, _ := os.ReadFile(dir + "ip_local_reserved_ports") // without it, none is
	n, err := countPorts(string(local), string(reserved))
	if err != nil || n < 1 {
		return math.MaxInt
	}
	return n
}

// chosenPorts are those that the kernel chooses from for TCP sockets that bind
// none, where it can be left a choice of one among them; else none. Reserved ones
// are its own affair.
func chosenPorts() (p upstream.Ports) {
	local, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil || !upstream.CanChoose() {
		return upstream.Ports{}
	}
	if _, err := fmt.Sscan(string(local), &p.Low, &p.High); err != nil {
		return upstream.Ports{}
	}
	return p
}

// countPorts counts the ports of a range, "32768 60999", but for those that are
// reserved: "8080,9148-9150", in order and without overlap.
func countPorts(local, reserved string) (int, error) {
	var low, high int
	if _, err := fmt.Sscan(local, &low, &high); err != nil {
		return 0, fmt.Errorf("ip_local_port_range %q: %w", local, err)
	}
	n := high - low + 1
	for _, part := range strings.Split(strings.TrimSpace(reserved), ",") {
		var from, to int
		switch fields, _ := fmt.Sscanf(part, "%d-%d", &from, &to); fields {
		case 0:
			continue
		case 1:
			to = from
		}
		n -= max(0, min(to, high)-max(from, low)+1)
	}
	return n, nil
}
