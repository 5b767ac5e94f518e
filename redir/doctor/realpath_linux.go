package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"sluice/redir/rules"
)

// moment is the least time between the two looks at the real path: that after
// which a client tries again to connect (TCP_TIMEOUT_INIT, 1 s), and a bit.
const moment = 1200 * time.Millisecond

// look is what the kernel has counted in this namespace by a time.
type look struct {
	at        time.Time
	installed bool
	living    bool   // a sluice runs
	port      uint16 // that it listens on
	diverted  uint64 // packets that the rules handed to a listener
	refused   uint64 // that they dropped for want of one
	escaped   uint64 // that they dropped since the routing would let them leave
	accepted  uint64 // TCP connections and UDP datagrams that reached sockets
}

// lookAtPath reads the counters of table inet sluice and of the sockets.
func lookAtPath() look {
	l := look{at: time.Now()}
	status, err := rules.ReadStatus()
	if err != nil {
		return l
	}
	l.installed, l.living, l.port = status.Installed, status.Living, max(status.TCPPort, status.UDPPort)
	for _, way := range status.Ways {
		l.port = max(l.port, way.Port)
	}
	for _, c := range status.Counters {
		switch c.Name {
		case "diverted":
			l.diverted = c.Packets
		case "refused":
			l.refused = c.Packets
		case "escaped":
			l.escaped = c.Packets
		}
	}
	l.accepted = arrivals()
	return l
}

// realPath compares it with a look that was taken before.
func realPath(ctx context.Context, before look) Result {
	if !before.installed {
		return judgePath(before, before)
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(before.at.Add(moment))):
	}
	return judgePath(before, lookAtPath())
}

// judgePath: what is diverted must reach a socket.
func judgePath(before, after look) Result {
	j := judge{name: "real path"}
	took := after.at.Sub(before.at).Round(100 * time.Millisecond)
	diverted, refused, accepted := after.diverted-before.diverted, after.refused-before.refused, after.accepted-before.accepted
	listen := fmt.Sprintf("sluice run --tproxy :%d", after.port)
	switch {
	case !before.installed || !after.installed:
		return j.result("no rules of sluice's are installed, so nothing is diverted")
	case int64(diverted) < 0 || int64(refused) < 0:
		return j.result("the rules were replaced meanwhile")
	case after.escaped > before.escaped:
		j.find(Fail, fmt.Sprintf("within %s %d packets were dropped because the routing would let them leave past sluice", took, after.escaped-before.escaped), "sluice rules status")
	case refused > 0:
		j.find(Fail, fmt.Sprintf("within %s %d packets were dropped because nobody listens", took, refused), listen)
	case diverted > 0 && accepted == 0:
		j.find(Fail, fmt.Sprintf("within %s %d packets were diverted and none reached a socket: rules, marks or routes stop them (see above)", took, diverted),
			"nft list ruleset")
	case diverted == 0 && !after.living:
		return j.result("no sluice owns the rules, and within " + took.String() + " no traffic was seen")
	case diverted == 0:
		return j.result("within " + took.String() + " no new traffic was seen")
	}
	return j.result(fmt.Sprintf("within %s %d packets were diverted, and arrive", took, diverted))
}

// arrivals is how many TCP connections and UDP datagrams have reached sockets of
// the calling thread's network namespace.
func arrivals() uint64 {
	thread, err := procfs.Self()
	if err == nil {
		thread, err = thread.Thread(unix.Gettid())
	}
	if err != nil {
		return 0
	}
	all, _ := thread.Snmp()
	all6, _ := thread.Snmp6() // none: no IPv6
	sum := uint64(0)
	for _, n := range []*float64{all.PassiveOpens, all.Udp.InDatagrams, all6.Udp6.InDatagrams} {
		if n != nil {
			sum += uint64(*n)
		}
	}
	return sum
}
