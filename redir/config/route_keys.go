package config

import (
	"slices"
)

// Keys of routes.
var (
	routeKeys   = []string{"rules", "rule_set", "final"}
	ruleSetKeys = []string{"type", "tag", "format", "path"}

	// conditionKeys are those of rules that are not logical, logicalKeys those of the
	// others; ruleKeys and actionKeys both have, but for the parts of a logical rule,
	// which have no action of their own.
	conditionKeys = []string{"inbound", "network", "source_ip_cidr", "source_ip_is_private", "ip_cidr", "ip_is_private",
		"source_port", "source_port_range", "port", "port_range", "domain", "domain_suffix", "domain_keyword",
		"rule_set", "source_mac_address", "time"}
	logicalKeys = []string{"mode", "rules"}
	ruleKeys    = []string{"type", "invert"}
	actionKeys  = []string{"action", "outbound", "override_port", "method"}
)

// foreignRouteKeys are sing-box's that sluice does not have, and what there is
// instead.
var foreignRouteKeys = map[string]string{
	// of rules
	"ip_version": "ip_cidr has 0.0.0.0/0 and ::/0", "auth_user": "", "protocol": "port tells most", "client": "",
	"domain_regex": "see domain_suffix and domain_keyword", "geosite": "a rule_set has names", "geoip": "a rule_set has networks",
	"source_geoip": "see source_ip_cidr", "process_name": "", "process_path": "", "process_path_regex": "", "package_name": "",
	"package_name_regex": "", "user": "", "user_id": "", "clash_mode": "", "network_type": "", "network_is_expensive": "",
	"network_is_constrained": "", "wifi_ssid": "", "wifi_bssid": "", "interface_address": "", "network_interface_address": "",
	"default_interface_address": "", "preferred_by": "", "source_hostname": "see source_mac_address",
	"rule_set_ip_cidr_match_source": "see source_ip_cidr", "rule_set_ipcidr_match_source": "see source_ip_cidr",
	// of actions
	"override_address": "a rule does not change the destination's address", "no_drop": "", "network_strategy": "", "fallback_network_type": "",
	"fallback_delay": "", "udp_disable_domain_unmapping": "", "udp_connect": "", "udp_timeout": "inbounds and the top of the file have one", "tls_fragment": "",
	"tls_fragment_fallback_delay": "", "tls_record_fragment": "", "sniffer": "", "timeout": "", "strategy": "", "server": "",
	// of routes
	"auto_detect_interface": "", "override_android_vpn": "", "default_interface": "see bind_iface", "default_mark": "see mark",
	"find_process": "", "find_neighbor": "", "dhcp_lease_files": "", "default_domain_resolver": "names are resolved by the system",
	"default_network_strategy": "", "default_network_type": "", "default_fallback_network_type": "", "default_fallback_delay": "",
	// of rule sets
	"url": "rule sets are files: fetch it into one", "download_detour": "rule sets are files", "update_interval": "SIGHUP rereads files that changed",
}

// only takes an object that has no other keys than the known ones. Elsewhere says of
// those that objects of another type have, why this one has not.
func (r *objectReader) only(known []string, elsewhere map[string]string) bool {
	if !r.object() {
		return false
	}
	for _, m := range r.members {
		why, misplaced := elsewhere[m.key]
		instead, foreign := foreignRouteKeys[spelled(m.key)]
		switch {
		case slices.Contains(known, m.key):
		case misplaced:
			r.errorf(m.offset, r.path, "%q: %s", m.key, why)
		case foreign && instead != "":
			r.errorf(m.offset, r.path, "sluice does not have sing-box's %q: %s", m.key, instead)
		case foreign:
			r.errorf(m.offset, r.path, "sluice does not have sing-box's %q: leave it out", m.key)
		default:
			r.unknown(m, known)
		}
	}
	return true
}

// because is why some keys are elsewhere.
func because(elsewhere map[string]string, why string, keys ...string) {
	for _, key := range keys {
		elsewhere[key] = why
	}
}
