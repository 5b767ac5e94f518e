package config

import (
	"slices"

	"sluice/redir/outbound"
	"sluice/redir/value"
)

// Keys of outbounds, by what they are for.
var (
	dialKeys   = []string{"bind_interface", "bind_iface", "routing_mark", "mark", "source", "inet4_bind_address", "inet6_bind_address", "connect_timeout"}
	serverKeys = []string{"server", "server_port", "username", "password", "password_file", "fallback"}
	groupKeys  = []string{"outbounds", "url", "interval", "tolerance", "fallback"}
)

// outboundKeys are those that outbounds of a kind have, beside type and tag.
func outboundKeys(kind outbound.Kind) []string {
	return map[outbound.Kind][]string{
		outbound.Direct: dialKeys, outbound.Block: {"method"}, outbound.Group: groupKeys,
		outbound.Socks: slices.Concat(serverKeys, dialKeys, []string{"version"}), outbound.HTTP: slices.Concat(serverKeys, dialKeys),
	}[kind]
}

// foreignTypes are sing-box's that sluice does not have.
var foreignTypes = []string{"anytls", "hysteria", "hysteria2", "naive", "shadowsocks", "shadowsocksr", "shadowtls", "ssh", "tor", "trojan", "tuic", "vless", "vmess", "wireguard"}

// foreignKeys are sing-box's that sluice does not have, and what there is instead.
var foreignKeys = map[string]string{
	"network": "rules have a network", "tls": "a program such as stunnel can speak it to the server", "path": "", "headers": "",
	"udp_over_tcp": "", "multiplex": "", "transport": "", "detour": "", "domain_resolver": "names are resolved by the system",
	"domain_strategy": "addresses are tried in the order that the system gives", "network_strategy": "", "network_type": "",
	"fallback_network_type": "", "fallback_delay": "", "tcp_fast_open": "", "tcp_multi_path": "", "udp_fragment": "", "reuse_addr": "",
	"netns": "", "bind_address_no_port": "", "disable_tcp_keep_alive": "see keepalive_upstream", "tcp_keep_alive": "see keepalive_upstream",
	"tcp_keep_alive_interval": "see keepalive_upstream", "proxy_protocol": "see send_proxy",
	"override_address": "a direct inbound leads elsewhere", "override_port": "rules have an override_port",
	"idle_timeout": "members are always tested", "interrupt_exist_connections": "what runs keeps its way", "providers": "",
}

// known finds fault with keys that outbounds of a kind do not have.
func (r *outboundReader) known(kind outbound.Kind) {
	known := append([]string{"type", "tag"}, outboundKeys(kind)...)
	for _, m := range r.members {
		if slices.Contains(known, m.key) {
			continue
		}
		var others []string
		for _, other := range outbound.Kinds() {
			if slices.Contains(outboundKeys(other), m.key) {
				others = append(others, other.String())
			}
		}
		instead, foreign := foreignKeys[spelled(m.key)]
		switch {
		case len(others) > 0:
			r.errorf(m.offset, r.path, "%s outbounds have no %q: only those of the type %s do", kind, m.key, value.OneOf(others))
		case kind == outbound.HTTP && m.key == "network":
			r.errorf(m.offset, r.path, "sluice has no %q of outbounds: an HTTP proxy carries TCP alone, and UDP that is led there is refused", m.key)
		case foreign && instead != "":
			r.errorf(m.offset, r.path, "sluice has no %q of outbounds: %s", m.key, instead)
		case foreign:
			r.errorf(m.offset, r.path, "sluice has no %q of outbounds: leave it out", m.key)
		default:
			r.unknown(m, known)
		}
	}
}
