package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Ingress judges the names of ingress interfaces, which may be patterns as
// wg* and wg+, as `sluice doctor` does: they exist, are up, and see packets
// themselves.
func Ingress(names []string) Result {
	_, r := interfaces(names)
	return r
}

// interfaces are the ingress interfaces: those named, or all but lo that are
// up.
func interfaces(named []string) ([]string, Result) {
	j := judge{name: "interfaces"}
	links, err := netlink.LinkList()
	if err != nil {
		j.find(Fail, err.Error(), "")
		return nil, j.result("")
	}
	byIndex := map[int]netlink.Link{}
	var running, found []string
	for _, link := range links {
		byIndex[link.Attrs().Index] = link
		isUp := link.Attrs().RawFlags&unix.IFF_UP != 0
		switch name := link.Attrs().Name; {
		case name == "lo" && !isUp:
			j.find(Fail, "lo is down, so the local route cannot be", "ip link set lo up")
		case name != "lo" && isUp:
			running = append(running, name)
		}
	}
	for _, name := range named {
		matching := matching(name, links)
		if len(matching) == 0 && isPattern(name) {
			j.find(Note, "nothing is called "+name+" now", "")
		} else if len(matching) == 0 {
			j.find(Fail, name+" does not exist", "ip link")
		}
		for _, link := range matching {
			found = append(found, link.Attrs().Name)
			judgeLink(&j, link, byIndex[link.Attrs().MasterIndex])
		}
	}
	if len(named) > 0 {
		slices.Sort(found)
		return slices.Compact(found), j.result(strings.Join(found, ", ") + " up")
	}
	if len(running) == 0 {
		j.find(Fail, "none is up but lo", "ip link")
	}
	return running, j.result(strings.Join(running, ", ") + " up")
}

// judgeLink finds fault with an interface that was named. What a master takes
// from its ports arrives on the master (rx_handler of net/core/dev.c).
func judgeLink(j *judge, link, master netlink.Link) {
	name := link.Attrs().Name
	if link.Attrs().RawFlags&unix.IFF_UP == 0 {
		j.find(Fail, name+" is down", "ip link set "+name+" up")
	}
	if master == nil {
		return
	}
	kind, over := master.Type(), master.Attrs().Name
	switch kind {
	case "bridge", "bond", "team", "ovs-system", "openvswitch":
		j.find(Fail, fmt.Sprintf("%s is a port of the %s %s, where its packets arrive: name that, --iface %s", name, kind, over, over), "sluice doctor --iface "+over)
	case "vrf":
		j.find(Note, fmt.Sprintf("%s is in the VRF %s, by whose table replies are routed", name, over), "")
	}
}

func isPattern(name string) bool { return strings.HasSuffix(name, "*") || strings.HasSuffix(name, "+") }

// matching are the links that a name or a pattern means.
func matching(name string, links []netlink.Link) []netlink.Link {
	pattern := name
	if isPattern(name) {
		pattern = name[:len(name)-1] + "*"
	}
	var found []netlink.Link
	for _, link := range links {
		if is, err := path.Match(pattern, link.Attrs().Name); is && err == nil || link.Attrs().Name == name {
			found = append(found, link)
		}
	}
	return found
}
