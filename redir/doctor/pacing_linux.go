package doctor

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

// pacing checks that TCP need not pace itself: BBR does so with a timer for each
// socket where a device has no fq qdisc, and "may use more resources"
// (net/ipv4/tcp_bbr.c). Both legs send, so every link that is up counts.
func pacing() Result {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	links, _ := netlink.LinkList()
	kinds := map[string][]string{}
	for _, l := range links {
		if a := l.Attrs(); a.OperState == netlink.OperUp {
			kinds[a.Name] = nil
			qdiscs, _ := netlink.QdiscList(l)
			for _, q := range qdiscs {
				kinds[a.Name] = append(kinds[a.Name], q.Type())
			}
		}
	}
	return judgePacing(strings.TrimSpace(string(text)), kinds)
}

// judgePacing takes the congestion control and the qdiscs of each link.
func judgePacing(congestionControl string, qdiscs map[string][]string) Result {
	j := judge{name: "TCP pacing"}
	if !strings.HasPrefix(congestionControl, "bbr") {
		return j.result(congestionControl + " needs none")
	}
	var without, remedies []string
	for name, kinds := range qdiscs {
		if !slices.Contains(kinds, "fq") {
			without = append(without, name)
			remedies = append(remedies, "tc qdisc replace dev "+name+" root fq")
		}
	}
	slices.Sort(without)
	slices.Sort(remedies)
	if len(without) > 0 {
		j.find(Warn, fmt.Sprintf("%s paces with a timer for each socket on %s, where no fq qdisc does it: bulk costs up to twice the CPU "+
			"(or choose another net.ipv4.tcp_congestion_control)", congestionControl, strings.Join(without, ", ")), strings.Join(remedies, "; "))
	}
	return j.result(congestionControl + ", paced by fq")
}
