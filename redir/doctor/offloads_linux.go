package doctor

import (
	"slices"
	"strings"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
)

// offloads checks each ingress interface, or what lies below it.
func offloads(ifaces []string) []Result {
	links, _ := netlink.LinkList()
	var results []Result
	for _, name := range receivers(ifaces, links) {
		results = append(results, judgeOffloads(name, interfaceFeatures(name)))
	}
	return results
}

// interfaceFeatures reads an interface's offload features, by the names that
// ethtool -k knows, and whether each is on. It is empty when they cannot be
// read.
func interfaceFeatures(name string) map[string]bool {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return nil
	}
	defer e.Close()
	on, _ := e.Features(name)
	return on
}

// receivers are the interfaces that receive for those named, each once: the ports
// of a bridge or bond and the parent of a VLAN, since packets are merged where
// they come in.
func receivers(names []string, links []netlink.Link) []string {
	var all []string
	for _, name := range names {
		var below []string
		if i := slices.IndexFunc(links, func(l netlink.Link) bool { return l.Attrs().Name == name }); i >= 0 {
			upper := links[i].Attrs()
			_, vlan := links[i].(*netlink.Vlan)
			for _, l := range links {
				if a := l.Attrs(); a.MasterIndex == upper.Index || vlan && a.Index == upper.ParentIndex {
					below = append(below, a.Name)
				}
			}
		}
		if len(below) == 0 {
			below = []string{name}
		} else {
			below = receivers(below, links)
		}
		for _, receiver := range below {
			if !slices.Contains(all, receiver) {
				all = append(all, receiver)
			}
		}
	}
	return all
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
