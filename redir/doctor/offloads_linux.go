package doctor

import "strings"

// offloads checks each ingress interface.
func offloads(ifaces []string) []Result {
	var results []Result
	for _, name := range ifaces {
		results = append(results, judgeOffloads(name, interfaceFeatures(name)))
	}
	return results
}

// judgeOffloads takes the kernel's feature names with whether each is on.
// UDP that is diverted is for no socket that GRO could find, so it is gathered
// only with rx-udp-gro-forwarding (udp_gro_receive).
func judgeOffloads(name string, on map[string]bool) Result {
	j := judge{name: "offloads of " + name}
	if len(on) == 0 {
		return j.result("not readable")
	}
	const why = ": each packet costs as much as a batch"
	var fine []string
	for _, feature := range []string{"rx-gro", "rx-udp-gro-forwarding"} {
		active, known := on[feature]
		if known && !active {
			j.find(Warn, feature+" is off"+why, "ethtool -K "+name+" "+feature+" on")
		} else if known {
			fine = append(fine, feature)
		}
	}
	return j.result(strings.Join(fine, ", ") + " on")
}
