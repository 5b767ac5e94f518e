package lab

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Marks and the table of the classic TPROXY rules (kernel documentation,
// networking/tproxy.rst).
const (
	DivertMark  = 1 // packets that policy routing delivers locally
	ProxyMark   = 2 // SO_MARK of the proxy's own sockets: never diverted
	DivertTable = 100
)

// rulesWait bounds one run of iptables or nft.
const rulesWait = 10 * time.Second

// Redirect diverts TCP that enters the gateway from the client, towards any of
// the destination ports (none given: every port), to the gateway's TCP port
// listen, by iptables' REDIRECT, both families. Calls add up.
func (l *Lab) Redirect(listen uint16, dest ...uint16) error {
	return l.xtables("nat", [][]string{
		append(match("tcp", dest), "-j", "REDIRECT", "--to-ports", port(listen)),
	})
}

// TProxy diverts TCP and UDP that enter the gateway from the client, towards any
// of the destination ports (none given: every port), to the transparent sockets
// at the gateway's port listen, by iptables' TPROXY, both families. Calls add up.
func (l *Lab) TProxy(listen uint16, dest ...uint16) error {
	if err := l.routeMarked(); err != nil {
		return err
	}
	var rules [][]string
	if l.first(&l.chains) {
		rules = [][]string{
			{"-N", "DIVERT"},
			{"-A", "DIVERT", "-j", "MARK", "--set-xmark", "0x1/0x1"},
			{"-A", "DIVERT", "-j", "ACCEPT"},
			{"-A", "PREROUTING", "-i", LAN, "-p", "tcp", "!", "--syn", "-m", "socket", "--transparent", "-j", "DIVERT"},
		}
	}
	for _, proto := range []string{"tcp", "udp"} {
		rules = append(rules, append(match(proto, dest),
			"-j", "TPROXY", "--on-port", port(listen), "--tproxy-mark", "0x1/0x1"))
	}
	return l.xtables("mangle", rules)
}

// match begins a rule for what enters at lan towards any of the ports, unless it
// bears the proxy's own mark.
func match(proto string, dest []uint16) []string {
	m := []string{"-A", "PREROUTING", "-i", LAN, "-p", proto, "-m", "mark", "!", "--mark", "0x2"}
	if len(dest) > 0 {
		m = append(m, "-m", "multiport", "--dports", portList(dest))
	}
	return m
}

func (l *Lab) xtables(table string, rules [][]string) error {
	for _, program := range []string{"iptables", "ip6tables"} {
		for _, rule := range rules {
			if err := l.Gateway.configure("", program, append([]string{"-w", "-t", table}, rule...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// RedirectNFT is Redirect as an nftables chain.
func (l *Lab) RedirectNFT(listen uint16, dest ...uint16) error {
	return l.nft("to_redirect", "nat", "dstnat", "meta l4proto tcp "+matchNFT(dest)+"redirect to :"+port(listen))
}

// TProxyNFT is TProxy as an nftables chain. The mark is set before tproxy, so that
// packets are dropped, not forwarded, while nobody listens.
func (l *Lab) TProxyNFT(listen uint16, dest ...uint16) error {
	if err := l.routeMarked(); err != nil {
		return err
	}
	return l.nft("to_tproxy", "filter", "mangle",
		"tcp flags & (fin | syn | rst | ack) != syn socket transparent 1 meta mark set meta mark or 1 accept",
		"meta l4proto { tcp, udp } "+matchNFT(dest)+"meta mark set meta mark or 1 tproxy to :"+port(listen)+" accept")
}

// OwnedNFT has what enters the gateway from the client for a transparent socket
// delivered there, by an nftables chain and without TPROXY: listeners at foreign
// addresses. The match for sockets puts no fragments together; what is asked of
// conntrack does.
func (l *Lab) OwnedNFT() error {
	if err := l.routeMarked(); err != nil {
		return err
	}
	return l.nft("owned", "filter", "mangle",
		"ct state invalid accept", "meta l4proto { tcp, udp } socket transparent 1 meta mark set meta mark or 1 accept")
}

func matchNFT(dest []uint16) string {
	if len(dest) == 0 {
		return ""
	}
	return "th dport { " + portList(dest) + " } "
}

func (l *Lab) nft(chain, kind, priority string, rules ...string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet sluicelab {\n chain %s {\n  type %s hook prerouting priority %s\n", chain, kind, priority)
	for _, r := range rules {
		fmt.Fprintf(&b, "  iifname %q meta mark != %d %s\n", LAN, ProxyMark, r)
	}
	b.WriteString(" }\n}\n")
	return l.Gateway.configure(b.String(), "nft", "-f", "-")
}

// configure runs a rules program inside the namespace, bounded in time.
func (ns *Namespace) configure(stdin, program string, args ...string) error {
	if _, err := exec.LookPath(program); err != nil {
		return MissingProgram(program)
	}
	ctx, cancel := context.WithTimeout(context.Background(), rulesWait)
	defer cancel()
	cmd := ns.Command(ctx, program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %s %s: %w: %s%s", ns.Name, program, strings.Join(args, " "), err, strings.TrimSpace(string(out)),
			KernelParts(stdin+strings.Join(args, " ")))
	}
	return nil
}

// routeMarked does, for both families:
//
//	ip rule add fwmark 0x1/0x1 lookup 100
//	ip route add local default dev lo table 100
func (l *Lab) routeMarked() error {
	if !l.first(&l.routed) {
		return nil
	}
	h, err := l.Gateway.links()
	if err != nil {
		return err
	}
	defer h.Close()
	mask := uint32(DivertMark)
	for family, all := range map[int]string{unix.AF_INET: "0.0.0.0/0", unix.AF_INET6: "::/0"} {
		rule := netlink.NewRule()
		rule.Family, rule.Mark, rule.Mask, rule.Table = family, DivertMark, &mask, DivertTable
		if err := h.RuleAdd(rule); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("%s: ip rule fwmark %d: %w", l.Gateway.Name, DivertMark, err)
		}
		if err := l.Gateway.addRoute(all, "", DivertTable); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	return nil
}

// first sets the flag and tells whether it was not set before.
func (l *Lab) first(flag *bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := *flag
	*flag = true
	return !was
}

func port(p uint16) string { return strconv.Itoa(int(p)) }

func portList(ports []uint16) string {
	text := make([]string, len(ports))
	for i, p := range ports {
		text[i] = port(p)
	}
	return strings.Join(text, ",")
}
