package doctor

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"sluice/splice"
)

// pacing checks that TCP need not pace itself: BBR does so with a timer for each
// socket where no fq qdisc does it, and "may use more resources"
// (net/ipv4/tcp_bbr.c). Both legs send, so every interface counts; a qdisc below
// it (of a bridge's port) sees the packets too.
func pacing() Result {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	links, _ := netlink.LinkList()
	running, _ := interfaces(nil)
	kinds := map[string][]string{}
	for _, name := range receivers(running, links) {
		kinds[name] = nil
		if link, err := netlink.LinkByName(name); err == nil {
			qdiscs, _ := netlink.QdiscList(link)
			for _, q := range qdiscs {
				kinds[name] = append(kinds[name], q.Type())
			}
		}
	}
	return judgePacing(strings.TrimSpace(string(text)), kinds)
}

// judgePacing takes the congestion control and the qdiscs of each interface.
func judgePacing(congestionControl string, qdiscs map[string][]string) Result {
	j := judge{name: "TCP pacing"}
	switch {
	case congestionControl == "":
		return j.result("not readable")
	case !splice.Paces(congestionControl):
		return j.result(congestionControl + " needs none")
	}
	var without, remedies []string
	for name, kinds := range qdiscs {
		if !slices.Contains(kinds, "fq") {
			without = append(without, name)
		}
	}
	slices.Sort(without)
	for _, name := range without {
		remedies = append(remedies, "tc qdisc replace dev "+name+" root fq")
	}
	if len(without) > 0 {
		j.find(Warn, fmt.Sprintf("%s paces each socket with a timer on %s, where no fq qdisc does it: bulk cost twice what it does with cubic, "+
			"where it was measured", congestionControl, strings.Join(without, ", ")), strings.Join(remedies, "; "))
	}
	return j.result(congestionControl + ", paced by fq")
}
