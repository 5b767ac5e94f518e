package rules

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// protocolFiles are where iproute2 keeps the names of rtm_protocol, the later
// ones of newer versions (6.7 and later: /usr/share).
var protocolFiles = []string{
	"/etc/iproute2/rt_protos", "/etc/iproute2/rt_protos.d/*.conf",
	"/usr/share/iproute2/rt_protos", "/usr/lib/iproute2/rt_protos",
}

// knownProtocols are those that matter beside others' rules where iproute2 is
// not installed (linux/rtnetlink.h RTPROT_*).
var knownProtocols = map[byte]string{
	0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 11: "zebra", 12: "bird",
	16: "dhcp", 18: "keepalived", 186: "bgp", 188: "ospf", RouteProtocol: "sluice",
}

// protocolName is the name of who made a route or a rule, or its number.
func protocolName(number byte) string {
	if name, ok := knownProtocols[number]; ok {
		return name
	}
	for _, pattern := range protocolFiles {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			text, _ := os.ReadFile(file)
			if name, ok := protocolIn(string(text), number); ok {
				return name
			}
		}
	}
	return strconv.Itoa(int(number))
}

// protocolIn looks a number up in the text of rt_protos: "186 bgp", a line
// each.
func protocolIn(text string, number byte) (string, bool) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if n, err := strconv.ParseUint(fields[0], 0, 8); err == nil && byte(n) == number {
			return fields[1], true
		}
	}
	return "", false
}
