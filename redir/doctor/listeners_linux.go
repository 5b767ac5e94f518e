package doctor

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"sluice/redir/rules"
)

// Socket states as /proc/net prints them (include/net/tcp_states.h).
const (
	stateListen = "0A"
	stateUDP    = "07" // an unconnected UDP socket
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
		some, every := listening("/proc/thread-self/net/"+want.network, want.port, want.state)
		some6, every6 := listening("/proc/thread-self/net/"+want.network+"6", want.port, want.state)
		remedy := fmt.Sprintf("sluice run --%s :%d", way, want.port)
		switch {
		case !some && !some6:
			j.find(Fail, fmt.Sprintf("nobody listens on %s port %d, where the rules send packets", want.network, want.port), remedy)
		case !every && !every6:
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
	state   string
}

// inlets are those of all interfaces, and of each way.
func inlets(status rules.Status) (all []inlet) {
	add := func(port uint16, tcp, udp bool) {
		for _, l := range []inlet{{"tcp", port, stateListen}, {"udp", port, stateUDP}} {
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

// listening searches a file of proc_net(5)'s form: a line per socket, with
// local address and port in hexadecimal second, and the state fourth. It tells
// whether any socket has the port, and whether one has it on every address.
func listening(path string, port uint16, state string) (some, every bool) {
	file, err := os.Open(path)
	if err != nil {
		return false, false
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != state {
			continue
		}
		addr, text, _ := strings.Cut(fields[1], ":")
		if number, err := strconv.ParseUint(text, 16, 16); err == nil && uint16(number) == port {
			some = true
			every = every || strings.Trim(addr, "0") == ""
		}
	}
	return some, every
}
