package config

import (
	"slices"
	"strings"
)

// Sentences of which several words have the same.
const (
	insideItself  = "there is no such object here: what it holds stands in the inbound or outbound itself"
	findsNames    = "sluice looks for names by itself, where a rule needs them: leave it out"
	noDevice      = "sluice has no device of its own, the kernel diverts to it: leave it out"
	noDNS         = "sluice answers no DNS, and the system resolves names: leave it out"
	onlyDiverted  = "sluice takes what the kernel diverts, and asks nobody who he is: leave it out"
	twoIfaces     = `what arrives by an interface is "iface", in "rules" or in an inbound; "bind_iface" is by what sluice reaches destinations`
	twoMarks      = `"mark" at the top of the file is that of what sluice sends, "fwmark" in "rules" that of packets that are diverted`
	asInbound     = `it is an inbound: "inbounds": [{"type": "tproxy", "listen_port": 12345}]`
	asOutbound    = `it is an outbound: "outbounds": [{"type": "socks", "server": "192.0.2.7", "server_port": 1080}]`
	asRule        = `it is a rule: "route": {"rules": [{"ip_cidr": "192.0.2.0/24", "outbound": "direct"}]}`
	asReject      = `it is "action": "reject"`
	byUnit        = "what starts sluice has such things, as systemd's unit: leave it out"
	toStandardErr = "the log goes to standard error, or to the journal: see log_format"
	onlyFlag      = "only the command line has it"
	noTransport   = "a program that speaks it can be a socks outbound's server"
	typeAndMore   = `"type" is how traffic comes, as "tproxy", and "network" whether it is "tcp" or "udp"`
)

// insteadOf are words that no one key stands for, by place and as sluice would spell
// them, and what there is instead.
var insteadOf = map[place]map[string]string{
	atTop: sentences(map[string]string{
		"geoip geosite": "a rule_set of \"route\" has networks and names",
		"tun":           noDevice,
		"tag":           "inbounds, outbounds and rule sets have one",
		"dns fakedns fake_ip nameserver nameservers resolver resolvers hosts dns_server":                                                        noDNS,
		"experimental ntp certificate endpoints services policy observatory burst_observatory reverse transport version schema $schema id name": "sluice has nothing like it: leave it out",
		"tproxy redirect redir tproxy_network listen_addr listeners frontend frontends redsocks redudp base":                                    asInbound,
		"forward forwards port_forward": `it is an inbound: "inbounds": [{"type": "direct", "listen_port": 80, "override_address": "10.0.0.5"}]`,
		"upstream upstreams proxy proxies socks socks5 http http_proxy parent next_hop backend backends upstream_password_file": asOutbound,
		"direct block":                                          asRule,
		"detach daemon background daemonize":                    "sluice run --detach runs in the background: leave it out",
		"config includes print_config":                          onlyFlag,
		"pidfile pid_file pid limits rlimits environment":       byUnit,
		"log_file logfile log_output error_log syslog log_path": toStandardErr,
		"interface interfaces dev device":                       twoIfaces,
		"fwmark":                                                twoMarks,
		"defaults global default settings general main":         "there is no such object: settings stand at the top of the file",
		"ipv6 ipv4 enable_ipv6 ip_version":                      `an inbound that listens at "::" takes both families: leave it out`,
		"tcp udp":                                               `an inbound's "network" says so`,
	}),
	`in "rules"`: sentences(map[string]string{
		"network proto protocol tcp udp l4proto": `an inbound's "network" says so`,
		"mark":                                   twoMarks,
		"tproxy redirect redir":                  `it is "via": "tproxy" or "redirect"`,
		"ipv4 ipv6 family":                       "both families are diverted: leave it out",
		"enabled enable install":                 `it is "install_rules" at the top of the file`,
		"chain chains hook":                      `sluice has chains of its own: see "priority", or sluice rules print for rules to install by hand`,
		"src saddr source_ip_cidr source_ip":     `which clients are diverted is not chosen by address: see "iface", or "source_ip_cidr" in a rule of "route"`,
		"outbound action":                        asRule,
	}),
	inInbound: sentences(map[string]string{
		"settings stream_settings sockopt":                                           insideItself,
		"sniff sniffing sniff_override_destination sniffer domain_strategy":          findsNames,
		"users auth authentication login password username":                          onlyDiverted,
		"tls transport multiplex allocate set_system_proxy platform":                 "sluice takes what the kernel diverts, as it is: leave it out",
		"follow_redirect tproxy transparent original_dst so_original_dst":            `it is "type": "tproxy" or "redirect"`,
		"interface interfaces dev device":                                            `what arrives by an interface is "iface", "bind_iface" is by what sluice reaches destinations`,
		"protocol":                                                                   typeAndMore,
		"auto_route auto_redirect auto_detect_interface":                             `it is "install_rules" at the top of the file`,
		"detour outbound":                                                            `a rule of "route" leads there: {"inbound": "TAG", "outbound": "TAG"}`,
		"stack mtu gso address4 address6 inet4_address inet6_address interface_name": noDevice,
		"tcp_fast_open tcp_multi_path udp_fragment udp_disable_domain_unmapping netns reuse_addr user_level": "sluice has nothing like it: leave it out",
		"timeout": `it has "udp_timeout"; those of TCP stand at the top of the file: "connect_timeout" and "idle_timeout"`,
	}),
	inOutbound: sentences(map[string]string{
		"settings servers stream_settings sockopt vnext":                               insideItself,
		"mux smux uuid flow security method_cipher cipher plugin plugin_opts alter_id": noTransport,
		"proxy_settings dialer_proxy":                                                  "outbounds do not lead through each other: leave it out",
		"weight check health rise fall maxconn":                                        `a group tests its members: "type": "urltest"`,
	}),
	inRoute: sentences(map[string]string{
		"balancers balancer": `it is an outbound of the type "urltest"`,
		"domain_strategy domain_matcher domain_resolver default_domain_resolver": noDNS,
		"geoip geosite": "a rule_set has networks and names",
	}),
	inRule: sentences(map[string]string{
		"block drop reject deny":               asReject,
		"balancer_tag":                         `it is an outbound of the type "urltest", which "outbound" names`,
		"interface in_interface iif":           `an inbound with an "iface" takes what arrives there, and "inbound" names it`,
		"attrs domain_matcher enabled comment": "sluice has nothing like it: leave it out",
	}),
}

// sentences has each of the words of a key by itself.
func sentences(of map[string]string) map[string]string {
	all := map[string]string{}
	for text, sentence := range of {
		for word := range strings.FieldsSeq(text) {
			all[word] = sentence
		}
	}
	return all
}

// commentWords are keys that people give to what is a comment.
var commentWords = []string{"comment", "comments", "description", "note", "notes", "remark", "remarks"}

// instead is what there is for a word that no key stands for; empty: nothing is said.
func instead(word string, at place) string {
	if is, ok := insteadOf[at][word]; ok {
		return is
	}
	if strings.ContainsAny(word[:min(1, len(word))], "_/#") || slices.Contains(commentWords, word) {
		return "a comment is // to the end of the line, or stands between /* and */"
	}
	return ""
}
