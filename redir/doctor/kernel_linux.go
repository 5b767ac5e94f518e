package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"sluice/redir/rules"
)

// feature is one thing that the kernel must be able to do.
type feature struct {
	name   string
	probe  func() error // runs in a throw-away namespace
	module string       // the module that brings it
	status Status       // when it is missing
}

// kernel probes each feature by using it.
func kernel() []Result {
	s, err := newSpace()
	if err != nil {
		return []Result{{Name: "kernel features", Status: Warn, Detail: fmt.Sprintf("not probed: a throw-away namespace: %v", err), Remedy: "sluice doctor"}}
	}
	defer s.close()
	var results []Result
	for _, f := range features() {
		results = append(results, f.check(s))
	}
	return append(results, ownership(s))
}

// ownership is what keeps the rules from a firewall that is loaded anew.
func ownership(s *space) Result {
	const name = "kernel: tables with an owner"
	if err := s.do(rules.TryOwning); err != nil {
		return Result{Name: name, Status: Warn, Detail: err.Error(), Remedy: "uname -r  # Linux 5.12 or later keeps the rules from others"}
	}
	return ok(name, "works")
}

func (f feature) check(s *space) Result {
	if err := s.do(f.probe); err != nil {
		remedy := "modprobe " + f.module
		if f.module == "" {
			remedy = "uname -r  # sluice needs Linux 5.11 or later"
		}
		return Result{Name: "kernel: " + f.name, Status: f.status, Detail: err.Error(), Remedy: remedy}
	}
	return ok("kernel: "+f.name, "works")
}

func features() []feature {
	const reg = unix.NFT_REG_1
	port := &expr.Immediate{Register: reg, Data: []byte{0, 80}}
	tcp := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg, Data: []byte{unix.IPPROTO_TCP}},
	}
	return []feature{
		{"nftables", func() error { return tryRule("filter") }, "nf_tables", Fail},
		{"TPROXY", func() error {
			return tryRule("filter", append(tcp, port, &expr.TProxy{Family: unix.NFPROTO_UNSPEC, RegPort: reg})...)
		}, "nft_tproxy", Fail},
		{"socket match", func() error {
			return tryRule("filter", &expr.Socket{Key: expr.SocketKeyTransparent, Register: reg},
				&expr.Socket{Key: expr.SocketKeyWildcard, Register: reg})
		}, "nft_socket", Fail},
		{"REDIRECT", func() error {
			return tryRule("nat", append(tcp, port, &expr.Redir{RegisterProtoMin: reg, Flags: unix.NF_NAT_RANGE_PROTO_SPECIFIED})...)
		}, "nft_redir", Warn},
		{"conntrack", func() error { return tryRule("filter", &expr.Ct{Key: expr.CtKeySTATE, Register: reg}) }, "nft_ct", Warn},
		{"address type", func() error {
			return tryRule("filter", &expr.Fib{Register: reg, ResultADDRTYPE: true, FlagDADDR: true})
		}, "nft_fib_inet", Fail},
		{"policy routing IPv4", func() error { return tryPolicy(unix.AF_INET) }, "", Fail},
		{"policy routing IPv6", func() error { return tryPolicy(unix.AF_INET6) }, "ipv6", Warn},
		{"rules of --source client", tryForeign, "nft_ct", Warn},
		{"transparent sockets IPv4", func() error { return tryTransparent(unix.AF_INET) }, "", Fail},
		{"transparent sockets IPv6", func() error { return tryTransparent(unix.AF_INET6) }, "ipv6", Warn},
	}
}

// tryRule loads one rule in family inet, that is, for both families at once.
func tryRule(kind nftables.ChainType, exprs ...expr.Any) error {
	conn := &nftables.Conn{}
	t := conn.AddTable(&nftables.Table{Name: "probe", Family: nftables.TableFamilyINet})
	c := conn.AddChain(&nftables.Chain{Table: t, Name: "probe", Type: kind,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityMangle})
	conn.AddRule(&nftables.Rule{Table: t, Chain: c, Exprs: exprs})
	conn.DelTable(t)
	return conn.Flush()
}

// tryPolicy adds a policy rule and a local route.
func tryPolicy(family int) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	bits := 32
	if family == unix.AF_INET6 {
		bits = 128
	}
	route := &netlink.Route{Family: family, LinkIndex: lo.Attrs().Index, Table: 100, Type: unix.RTN_LOCAL,
		Scope: netlink.SCOPE_HOST, Dst: &net.IPNet{IP: make(net.IP, bits/8), Mask: net.CIDRMask(0, bits)}}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("local route: %w", err)
	}
	rule := netlink.NewRule()
	rule.Family, rule.Mark, rule.Table = family, 1, 100
	if err := netlink.RuleAdd(rule); err != nil {
		return fmt.Errorf("rule by fwmark: %w", err)
	}
	return nil
}

// tryForeign installs the rules by which sluice's sockets may bear clients'
// addresses, and takes them away.
func tryForeign() error {
	_, err := rules.Apply(rules.Spec{TCPPort: sluicePort, UDPPort: sluicePort, Ifaces: []string{"c0"},
		Sources: rules.Sources{Clients: true, Ports: true}})
	if err != nil {
		return err
	}
	_, err = rules.Remove()
	return err
}

// tryTransparent binds a UDP socket to an address that nobody has.
func tryTransparent(family int) error {
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if family == unix.AF_INET {
		err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1),
			unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVORIGDSTADDR, 1),
			unix.Bind(fd, &unix.SockaddrInet4{Port: 53, Addr: [4]byte{192, 0, 2, 1}}))
	} else {
		address := &unix.SockaddrInet6{Port: 53}
		binary.BigEndian.PutUint32(address.Addr[:], 0x20010db8)
		err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1),
			unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVORIGDSTADDR, 1),
			unix.Bind(fd, address))
	}
	return err
}
