//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice/bench/lab"
)

// strictFirewall accepts what a home router accepts: what its clients begin, and
// what belongs to that. It drops what conntrack finds invalid, and counts it where
// sluice's own chains have not yet seen it.
const strictFirewall = `table inet fw {
	counter invalid { }
	chain early { type filter hook prerouting priority -190; ct state invalid counter name invalid; }
	chain input {
		type filter hook input priority 0; policy drop;
		ct state invalid drop
		ct state established,related accept
		iifname { lan, lo } accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
	}
	chain forward {
		type filter hook forward priority 0; policy drop;
		ct state invalid drop
		ct state established,related accept
		iifname lan oifname wan accept
	}
	chain output { type filter hook output priority 0; ct state invalid drop; }
}
`

const masqueradeWAN = `table inet nat {
	chain out { type nat hook postrouting priority srcnat; oifname wan masquerade; }
}
`

// TestSourceFirewall puts a strict firewall, masquerade on the WAN's side and SYN
// cookies around sluice, one after the other and all of them: everything passes,
// nothing is invalid to conntrack, and with masquerade a server sees the gateway.
func TestSourceFirewall(t *testing.T) {
	t.Parallel()
	client := []source{clientSource}
	for name, c := range map[string]struct {
		over    []source
		rules   string
		cookies string // net.ipv4.tcp_syncookies
		flags   []string
	}{
		"strict":                          {sources(), strictFirewall, "1", nil},
		"masquerade":                      {sources(), strictFirewall + masqueradeWAN, "1", nil},
		"cookies":                         {[]source{gatewaySource, clientSource, addressSource, foreignSource}, strictFirewall, "2", nil},
		"all":                             {client, strictFirewall + masqueradeWAN, "2", nil},
		"kernel replies":                  {client, strictFirewall, "1", []string{"--source-replies=kernel"}},
		"all but cookies, kernel replies": {client, strictFirewall + masqueradeWAN, "1", []string{"--source-replies=kernel"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overSources(t, c.over, func(t *testing.T, s source) {
				g := startSource(t, s, c.flags...)
				g.load(t, c.rules)
				if err := g.Gateway.Sysctl("net/ipv4/tcp_syncookies", c.cookies); err != nil {
					t.Fatal(err)
				}
				seenAs := s
				if strings.Contains(c.rules, masqueradeWAN) {
					seenAs = gatewaySource
				}
				for _, w := range udpWays() {
					startWitness(t, g.Server, w.dest(0))
					for range 3 {
						g.assertCarries(t, seenAs, w, w.client(), w.dest(0))
						g.assertCarries(t, seenAs, w, w.normal(), w.dest(0))
					}
				}
				if n := g.counted(t, "inet", "fw", "invalid"); n > 0 {
					t.Errorf("%d packets were invalid to conntrack", n)
				}
				const sockets = 2 * 3 * 2 // clients' ones, each of a session
				n := g.counters(t)
				if passed, opened := n.number("datagrams_to_client"), n.number("udp_sessions_opened"); (passed > 0) != (c.flags == nil) || opened != sockets {
					t.Errorf("%d sessions, %d answers through sluice", opened, passed)
				}
			})
		})
	}
}

// load adds rules to the gateway.
func (g *gateway) load(t *testing.T, rules string) {
	t.Helper()
	cmd := g.Gateway.Command(t.Context(), "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
}

// counted is how many packets a named counter of the gateway has.
func (g *gateway) counted(t *testing.T, family, table, name string) int {
	t.Helper()
	return nftCounter(t, g.Gateway, family, table, name)
}

func nftCounter(t *testing.T, ns *lab.Namespace, family, table, name string) int {
	t.Helper()
	out, err := ns.Command(context.Background(), "nft", "--json", "list", "counter", family, table, name).Output()
	if err != nil {
		t.Fatal(fmt.Errorf("nft list counter %s %s: %w", table, name, err))
	}
	var list struct {
		Nftables []struct {
			Counter *struct{ Packets int }
		}
	}
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Nftables {
		if o.Counter != nil {
			return o.Counter.Packets
		}
	}
	t.Fatalf("no counter in %s", out)
	return 0
}
