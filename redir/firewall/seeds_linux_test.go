package firewall

import (
	"flag"
	"os"
	"testing"
)

// seeds are rulesets as gateways have them.
var seeds = map[string]string{
	"router": nft(`table inet fw4 {
		set blocked { type ipv4_addr; flags interval; elements = { 203.0.113.0/24, 198.51.100.7 }
		}
		chain input { type filter hook input priority filter; policy accept;
			iifname "lo" accept
			ct state vmap { established : accept, related : accept, invalid : drop }
			ip saddr @blocked drop
			tcp flags & (fin | syn | rst | ack) == syn jump syn_flood
			iifname vmap { "lan" : jump input_guest, "wan*" : drop }
		}
		chain syn_flood { limit rate 25/second burst 50 packets return
			drop
		}
		chain input_guest { udp dport { 53, 67 } accept
			meta l4proto { icmp, ipv6-icmp } accept
			iifname . tcp dport { "lan" . 22, "lan" . 1000-2000 } accept
			jump handle_reject
		}
		chain handle_reject { meta l4proto tcp reject with tcp reset
			reject
		}
		chain forward { type filter hook forward priority filter; policy drop;
			tcp flags syn tcp option maxseg size set rt mtu
			iifname "lan" oifname "wan" accept
		}
		chain nat { type nat hook prerouting priority dstnat
			ip daddr 192.0.2.1 tcp dport { 80, 443 } dnat ip to 10.0.0.1
			udp dport 53 redirect to :5353
		}
		chain post { type nat hook postrouting priority srcnat
			oifname "wan" masquerade
		}
	}`),
	"marks": nft(`table inet mwan {
		map marks { type ipv4_addr : mark; flags interval; elements = { 192.0.2.0/25 : 0x100, 192.0.2.128/25 : 0x200 }
		}
		set met { type ipv4_addr; flags dynamic,timeout; timeout 1m
		}
		chain pre { type filter hook prerouting priority mangle
			meta mark & 0xff00 == 0 meta mark set ct mark & 0xff00
			meta mark & 0xff00 == 0 meta mark set ip saddr map @marks
			ct mark set meta mark & 0xff00
			fib saddr . iif oif missing drop
			add @met { ip saddr limit rate over 10/second } drop
		}
		chain out { type route hook output priority mangle
			meta mark set numgen inc mod 2 map { 0 : 0x100, 1 : 0x200 }
			ct count over 20 reject
		}
	}`),
	"iptables": `iptables -N DOCKER; iptables -P INPUT DROP; iptables -A INPUT -j DOCKER
		iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		iptables -A INPUT -p tcp -m multiport --dports 22,8000:9000 -j ACCEPT
		iptables -A DOCKER -m addrtype --dst-type LOCAL -j RETURN; iptables -A DOCKER -p udp -m limit --limit 3/s -j REJECT
		iptables -t mangle -A PREROUTING -j CONNMARK --restore-mark; iptables -t mangle -A PREROUTING -p tcp -m socket --transparent -j MARK --set-xmark 1/1
		iptables -t mangle -A PREROUTING -p tcp -j TPROXY --on-port 12345 --tproxy-mark 1/1
		ip6tables -t raw -A PREROUTING -p udp -j NOTRACK; ip6tables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 3128`,
	"tproxy": nft(`table inet sluice {
		set ifaces { type ifname; elements = { "lan" }
		}
		chain prerouting { type filter hook prerouting priority mangle
			iifname != @ifaces return
			meta l4proto != { tcp, udp } return
			meta mark 0x2 return
			meta l4proto tcp tcp flags & (fin|syn|rst|ack) != syn socket transparent 1 meta mark set meta mark | 0x1 accept
			fib daddr type { local, broadcast, anycast, multicast } return
			meta l4proto tcp tproxy to :12345 ct mark set ct mark | 0x1 meta mark set meta mark | 0x1 accept
			meta l4proto udp tproxy to :12345 meta mark set meta mark | 0x1 accept
			drop
		}
	}`),
}

// TestSeeds loads them, and writes their dumps for FuzzWalk when asked to.
func TestSeeds(t *testing.T) {
	for name, script := range seeds {
		dump := dumpOf(t, "ip link set lo up\n"+script)
		if len(Decode(dump).chains) == 0 {
			t.Errorf("%s: no chains in %d bytes", name, len(dump))
		}
		if flag.Arg(0) == "write" {
			if err := os.WriteFile("testdata/"+name+".dump", dump, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
