package compare

import (
	"fmt"
	"path/filepath"
	"strings"

	"sluice/bench/lab"
)

// throughSocks are the peers that hand what comes to the SOCKS server, and for each
// sluice one without SOCKS5, whose clients address the relays of that server.
func (o Options) throughSocks() []func(seat) recipe {
	var all []func(seat) recipe
	add := func(make func(seat) recipe) {
		all = append(all, func(s seat) recipe {
			r := make(s)
			r.Role, r.socks = Socks, true
			r.rules = divertRules([]recipe{r}, []seat{s})
			return r
		})
	}
	for _, v := range o.Variants {
		add(func(s seat) recipe { return sluiceThroughSocks(v, o.Sluice, s) })
		add(func(s seat) recipe {
			r := sluice(v, o.Sluice, s)
			r.Name, r.relayed, r.udp = v.Name+relaySuffix, true, false
			return r
		})
	}
	for _, kind := range o.Kinds {
		switch kind {
		case SingBox:
			add(singBoxSocks)
		case redsocksKind, hevKind:
			add(func(s seat) recipe {
				r := recipeOf(kind, s)
				r.Name = socksPrefix + r.Name
				return r
			})
		}
	}
	return all
}

func sluiceThroughSocks(v Variant, path string, s seat) recipe {
	r := sluice(v, path, s)
	r.Name = v.Name + socksSuffix
	r.args = append(r.args, fmt.Sprintf("--upstream=socks5://%s:%d", serverAddress, socksListen))
	return r
}

// singBoxSocks is sing-box with the SOCKS server as its outbound.
func singBoxSocks(s seat) recipe {
	r := singBox(s)
	const file = "sing-box-socks.json"
	r.Peer = Peer{Name: SocksSingBox, Kind: SingBox, Way: TProxy, Note: "tproxy inbound, socks outbound"}
	r.args = []string{"run", "-c", filepath.Join(s.dir, file)}
	out := object{"type": "socks", "tag": "out", "server": serverAddress, "server_port": socksListen, "version": "5"}
	r.files = map[string]string{file: toJSON(singBoxConfig(s, out))}
	return r
}

// prefixes is how many a sluice of the role Kernel has loaded.
const prefixes = 100_000

// pastSluice are sluices whose rules leave all of the traffic to the kernel, by one
// of many prefixes, and plain forwarding.
func (o Options) pastSluice() []func(seat) recipe {
	all := []func(seat) recipe{func(s seat) recipe {
		r := recipeOf(Direct, s)
		r.Name, r.Role, r.shows = Plain, Kernel, true
		return r
	}}
	for _, v := range o.Variants {
		all = append(all, func(s seat) recipe { return sluiceAside(v, o.Sluice, s) })
	}
	return all
}

// sluiceAside is a variant whose rules forward what its list of prefixes has.
func sluiceAside(v Variant, path string, s seat) recipe {
	const list = "prefixes.list"
	file := fmt.Sprintf("aside%d.json", s.index)
	config := object{
		"inbounds":      []object{{"type": "tproxy", "tag": "in", "listen_port": s.listen()}},
		"outbounds":     []object{{"type": "direct", "tag": "carried"}, {"type": "forward", "tag": "kernel"}},
		"install_rules": true,
		"rules":         object{"iface": []string{lab.LAN}},
		"route": object{
			"rule_set": []object{{"type": "local", "tag": "many", "format": "list", "path": list}},
			"rules":    []object{{"rule_set": "many", "outbound": "kernel"}},
		},
	}
	r := sluice(v, path, s)
	r.Name, r.Role, r.shows = v.Name+kernelSuffix, Kernel, true
	r.args = append([]string{"run", "--log-level=error", "--config=" + filepath.Join(s.dir, file)}, v.Flags...)
	r.files = map[string]string{file: toJSON(config), list: manyPrefixes()}
	return r
}

// manyPrefixes are prefixes of which no two make one, and the servers' among them.
func manyPrefixes() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n198.18.0.0/15\n", serverAddress)
	for i := range prefixes {
		n := i * 2 // every other /28 from 20.0.0.0 on
		fmt.Fprintf(&b, "%d.%d.%d.%d/28\n", 20+n>>20, n>>12&0xff, n>>4&0xff, n&0xf<<4)
	}
	return b.String()
}
