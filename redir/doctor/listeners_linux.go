package doctor

import (
	"fmt"
	"slices"
	"strings"

	"sluice/redir/rules"
	"sluice/redir/sockets"
)

// listeners: somebody has to listen where the rules send packets to.
func listeners() Result {
	j := judge{name: "listeners"}
	status, err := rules.ReadStatus()
	if err != nil || !status.Installed {
		return j.result("no rules of sluice's are installed")
	}
	way := "tproxy"
	if status.Policy == "" { // REDIRECT needs no routing
		way = "redirect"
	}
	var fine []string
	for _, want := range inlets(status) {
		some, every := listening(want)
		remedy := fmt.Sprintf("sluice run --%s :%d", way, want.port)
		switch {
		case !some:
			j.find(Fail, fmt.Sprintf("nobody listens on %s port %d, where the rules send packets", want.network, want.port), remedy)
		case !every:
			j.find(Fail, fmt.Sprintf("whoever listens on %s port %d has one address only, and the rules send packets to others too", want.network, want.port), remedy)
		case way == "tproxy":
			if holder := opaqueHolder(want.network, want.port); holder != "" {
				j.find(Fail, fmt.Sprintf("%s holds %s port %d and is no transparent listener, so TPROXY hands it nothing", holder, want.network, want.port),
					fmt.Sprintf("ss -lnp --%s sport = :%d  # end it, or give sluice another port", want.network, want.port))
			}
		}
		fine = append(fine, fmt.Sprintf("%s port %d", want.network, want.port))
	}
	return j.result(strings.Join(append(fine, foreign(&j, status.Listeners)...), ", "))
}

// inlet is a port where the rules send packets.
type inlet struct {
	network string
	port    uint16
	state   sockets.State
}

// inlets are those of all interfaces, and of each way.
func inlets(status rules.Status) (all []inlet) {
	add := func(port uint16, tcp, udp bool) {
		for _, l := range []inlet{{"tcp", port, sockets.Listening}, {"udp", port, sockets.Unconnected}} {
			if wanted := l.network == "tcp" && tcp || l.network == "udp" && udp; wanted && port != 0 && !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	add(status.TCPPort, true, false)
	add(status.UDPPort, false, true)
	for _, w := range status.Ways {
		add(w.Port, w.TCP, w.UDP)
	}
	return all
}

// listening tells whether any socket has the port, and whether one has it on
// every address.
func listening(want inlet) (some, every bool) {
	for s := range sockets.Here(want.network, want.network+"6") {
		if s.State == want.state && s.Local.Port() == want.port {
			some = true
			every = every || s.Local.Addr().IsUnspecified()
		}
	}
	return some, every
}
