package config

import (
	"slices"
	"strings"
)

// alike are words of other programs (sing-box, Xray, HAProxy, nginx, redsocks, dnsmasq,
// iptables), as sluice would spell them, and the keys that do the same here, in
// whichever place. A place's own words are told first.
var alike = words(map[string]string{
	// where it listens, and where it leads
	"listen":           "bind bind_address bind_addr address addr ip host local_ip listen_address listen_addr listen_ip",
	"listen_port":      "port local_port bind_port server_listen_port tproxy_port redir_port",
	"network":          "proto transport networks l4proto",
	"override_address": "dest destination target forward_to remote remote_address dest_address to_destination backend server",
	"override_port":    "dest_port destination_port target_port remote_port to_port",
	"iface":            "interface interfaces in_interface input_interface iif iifname ingress lan dev device lan_interface",
	"oiface":           "out_interface output_interface oif oifname egress wan wan_interface",
	"tag":              "name id",
	"type":             "protocol",

	// servers
	"server":        "address addr ip host hostname proxy",
	"server_port":   "port",
	"username":      "user login account",
	"password":      "pass passwd pw secret",
	"password_file": "passwd_file pass_file secret_file",
	"fallback":      "backup failover",
	"outbounds":     "members proxies servers selector use outbound_tags",
	"url":           "test_url probe_url destination check_url health_check healthcheck",
	"interval":      "check_interval probe_interval test_interval inter",

	// how sockets leave
	"mark":       "so_mark routing_mark default_mark set_mark fwmark socket_mark tcp_mark",
	"bind_iface": "interface bind_interface bind_to_device dev device default_interface outbound_interface output_interface egress interface_name vrf",
	"source":     "source_ip source_address src send_through spoof usesrc transparent bind_source local_address bind_address preserve_client_ip outgoing_address",
	"send_proxy": "send_proxy_v2 sendproxy proxy_protocol proxy_protocol_out xver",

	// times
	"udp_timeout":        "timeout udp_idle_timeout udp_ttl nat_timeout session_timeout udp_session_timeout timeout_udp",
	"udp_query_timeout":  "dns_timeout query_timeout",
	"connect_timeout":    "timeout timeout_connect dial_timeout connection_timeout handshake_timeout handshake connect tcp_timeout",
	"idle_timeout":       "timeout timeout_client timeout_server timeout_tunnel conn_idle conn_timeout tcp_idle_timeout inactivity_timeout proxy_timeout",
	"half_close_timeout": "timeout_client_fin timeout_server_fin timeout_fin fin_timeout downlink_only uplink_only",
	"drain_timeout":      "shutdown_timeout grace graceful_timeout hard_stop_after stop_timeout worker_shutdown_timeout",
	"sniff_timeout":      "sniffing_timeout timeout_sniff",
	"keepalive":          "keep_alive tcp_keepalive tcp_keep_alive keepalive_interval keepalive_time keepalive_idle tcp_keep_alive_interval tcp_keep_alive_idle so_keepalive clitcpka srvtcpka",

	// bounds
	"max_conns":       "maxconn max_connections max_clients connections conn_limit connection_limit nofile ulimit rlimit_nofile worker_connections max_tcp redsocks_conn_max",
	"udp_sessions":    "max_sessions max_udp_sessions udp_max_sessions udp_max nat_size max_udp nat_table_size sessions",
	"client_conns":    "client_limit max_per_ip per_client max_conns_per_client limit_conn conns_per_ip",
	"client_connects": "connect_rate conn_rate rate_limit_connections client_connect_rate limit_req",
	"client_rate":     "rate ratelimit rate_limit bandwidth speed limit_rate bwlim up_mbps down_mbps",
	"client_exempt":   "whitelist allowlist exempt trusted",
	"memory_pressure": "memory_limit oom max_memory gomemlimit",

	// how it works
	"reactors":            "workers threads nbthread nbproc worker_processes worker_threads procs processes cpus cores concurrency gomaxprocs thread_num",
	"relay":               "splice zero_copy zerocopy option_splice splice_auto sendfile",
	"pipe_size":           "pipe tune_pipesize pipesize",
	"buffer_size":         "buffer buffers bufsize tune_bufsize",
	"batch":               "batch_size sendmmsg recvmmsg",
	"congestion_client":   "congestion tcp_congestion congestion_control tcp_congestion_control",
	"congestion_upstream": "congestion tcp_congestion congestion_control tcp_congestion_control",
	"tos":                 "dscp qos ip_tos set_tos type_of_service",
	"map":                 "port_map port_mapping portmap redirect_ports ports_map",
	"accept_proxy":        "proxy_protocol accept_proxy_protocol real_ip set_real_ip_from xver",
	"icmp":                "icmp_errors ping",
	"allow_local":         "allow_self allow_loopback local_allowed",
	"install_rules":       "auto_route auto_redirect auto_iptables auto_rules iptables nftables nft firewall setup_rules add_rules set_rules",

	// the process
	"log_level":          "log loglevel level verbosity verbose debug quiet log_verbosity log_severity",
	"log_format":         "log_target log_type log_style log_json",
	"access_log":         "access log_access option_tcplog tcplog flow_log connection_log",
	"access_log_sample":  "sample sampling sample_rate",
	"user":               "uid run_as runas setuid group gid username",
	"confine":            "sandbox seccomp landlock no_new_privs chroot capabilities security",
	"takeover":           "hot_restart reuseport reuse_port seamless_reload",
	"control":            "api external_controller controller stats_socket stats socket admin management metrics prometheus control_socket api_listen listen_api",
	"control_token_file": "token token_file api_key secret bearer_token",
	"ipfix":              "netflow flow_export flow_exporter collector sflow export",

	// what is diverted
	"dport":          "ports dports dst_port dst_ports destination_port destination_ports to_ports port tcp_ports",
	"include":        "only include_ip include_ips dst destination destinations include_cidr networks",
	"exclude":        "bypass skip except ignore exclude_ip exclude_ips exclude_cidr no_proxy bypass_ip whitelist return direct local_networks route_exclude_address",
	"exclude_uid":    "uid uid_owner exclude_user skip_uid bypass_uid owner",
	"exclude_cgroup": "cgroup skip_cgroup bypass_cgroup",
	"output":         "local own self locally_generated proxy_self",
	"via":            "mode method backend target jump",
	"fail":           "fail_open fail_closed on_fail failsafe fail_mode kill_switch killswitch failover",
	"established":    "existing running",
	"table":          "table_id routing_table route_table rt_table",
	"rule_priority":  "pref preference rule_pref",
	"fwmark":         "tproxy_mark nfmark divert_mark packet_mark",
	"ct_mark":        "connmark conntrack_mark",
	"notrack":        "conntrack untracked nf_conntrack",
	"sysctl":         "sysctls set_sysctl",

	// routes
	"route":              "routing router routes routing_rules",
	"rules":              "rule acl acls access divert diversion",
	"inbounds":           "inbound listeners listener",
	"final":              "default default_outbound default_outbound_tag default_route",
	"rule_set":           "rule_sets rulesets rule_provider rule_providers list lists ruleset",
	"ip_cidr":            "ip ips dst dst_ip destination destination_ip address cidr dest ip_cidr6 network_cidr dst_ip_cidr",
	"source_ip_cidr":     "source_ip source_ips src src_ip source client source_address src_ip_cidr source_cidr from",
	"port":               "dport dst_port destination_port dest_port to_port ports",
	"source_port":        "sport src_port from_port",
	"inbound":            "inbound_tag in inbound_tags inbounds",
	"outbound":           "outbound_tag target to via proxy policy outbound_tags goto use_backend next",
	"domain":             "host domains domain_name sni domain_full hostname server_name fqdn",
	"domain_suffix":      "suffix domains_suffix subdomains wildcard",
	"domain_keyword":     "keyword contains",
	"source_mac_address": "mac source_mac src_mac mac_address mac_source client_mac",
	"time":               "schedule weekday weekdays hours times date when",
	"invert":             "not negate inverse reverse",
	"path":               "file filename src",
	"format":             "behavior",
	"action":             "verdict decision",
	"method":             "reject_with reject_method",
})

// alikeValues are values of other programs, and the choices that do the same here, in
// whichever setting.
var alikeValues = words(map[string]string{
	"on": "enabled enable", "off": "disabled disable none never",
	"warn": "warning", "error": "err fatal critical crit alert emerg emergency panic none silent quiet", "info": "notice information informational normal",
	"debug": "verbose all", "splice": "zero_copy zerocopy sendfile", "copy": "userspace buffer read_write",
	"console": "text plain pretty human logfmt color colour", "journald": "journal syslog systemd", "json": "structured",
	"tproxy": "dokodemo_door dokodemo transparent tun mangle tproxy_in", "redirect": "redir nat dnat redirect_in redirector",
	"direct": "freedom bypass pass accept allow tunnel port_forward forward portforward static", "block": "blackhole reject deny drop null refuse",
	"forward": "kernel bypass", "socks": "socks5 socks5h socks4 socks4a", "http": "https http_connect connect", "urltest": "selector url_test fallback load_balance loadbalance balancer group auto least_ping",
	"reset": "rst tcp_reset reject refuse icmp default", "drop": "silent blackhole ignore no_reply",
	"reject": "block deny drop blackhole refuse", "route": "route_options direct proxy allow accept forward bypass pass",
	"open": "allow accept pass bypass", "closed": "block drop deny close reject", "keep": "leave ignore preserve bypass", "divert": "kill take move redirect",
	"refuse": "reset reject drop deny block", "gateway": "snat masquerade default auto", "kernel": "forward conntrack netfilter", "proxy": "sluice userspace",
	"auto": "on yes true default", "require": "on strict enforce yes true", "and": "all every", "or": "any some",
	"v1": "1 proxy_v1", "v2": "2 proxy_v2 on yes true", "tcp": "tcp4 tcp6 http tls https", "udp": "udp4 udp6 quic dns",
	"list": "txt text plain domain ipcidr", "source": "singbox sing_box", "logical": "and or", "default": "field plain simple",
})

// Alike are the keys of the file that do what other programs call by that name, in the
// order of the alphabet; none: nobody calls anything so.
func Alike(name string) []string {
	return slices.Clone(alike[spelled(name[:min(longestWord, len(name))])])
}

// words turns a table round: from each word to what it stands beside, in the order of
// the alphabet.
func words(of map[string]string) map[string][]string {
	all := map[string][]string{}
	for key, text := range of {
		for word := range strings.FieldsSeq(text) {
			all[word] = append(all[word], key)
		}
	}
	for _, keys := range all {
		slices.Sort(keys)
	}
	return all
}
