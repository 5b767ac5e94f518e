package rules

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Way is a port of sluice's for what arrives by some interfaces alone.
type Way struct {
	Ifaces []string `json:"ifaces"` // names or patterns as ppp*
	Port   uint16   `json:"port"`
	TCP    bool     `json:"tcp"`
	UDP    bool     `json:"udp"`
	// Name is what errors call it, as `inbound lan1-in: iface`; empty: as the flag writes it.
	Name string `json:"-"`
}

// ParseWay reads "lan1=12346", "lan1,ppp*=12346" or "lan1=12346,udp".
func ParseWay(text string) (Way, error) {
	names, target, _ := strings.Cut(text, "=")
	port, networks, err := parseTarget(target)
	w := Way{Ifaces: strings.Split(names, ","), Port: port, TCP: networks[0], UDP: networks[1]}
	if err != nil || names == "" {
		return Way{}, fmt.Errorf("way %q: want interfaces and the port for what arrives there, as lan1=12346, lan1,ppp*=12346 or lan1=12346,tcp", text)
	}
	return w, nil
}

// String is what ParseWay reads.
func (w Way) String() string {
	return strings.Join(w.Ifaces, ",") + "=" + strconv.Itoa(int(w.Port)) + networksText(w.TCP, w.UDP)
}

func (w Way) name() string {
	if w.Name != "" {
		return w.Name
	}
	return "way " + w.String()
}

// portOf is a port at which sluice takes in a protocol, 0 if there is none.
func (s Spec) portOf(proto byte) uint16 {
	port := s.rest(proto)
	for _, w := range s.Ways {
		port = cmp.Or(port, w.port(proto))
	}
	return port
}

// routed tells whether anything has to be handed over by mark and route, as
// tproxy does, where redirect takes clients in.
func (s Spec) routed() bool { return s.foreign() || len(s.Listeners) > 0 }

// carries tells whether the way has a protocol.
func (w Way) carries(proto byte) bool {
	return proto == protoTCP && w.TCP || proto == protoUDP && w.UDP
}

// parseTarget reads "12346", "12346,tcp" or "12346,tcp,udp".
func parseTarget(text string) (port uint16, networks [2]bool, err error) {
	fields := strings.Split(text, ",")
	port, err = parsePort(fields[0])
	for _, network := range fields[1:] {
		switch network {
		case "tcp":
			networks[0] = true
		case "udp":
			networks[1] = true
		default:
			err = errors.New("no network")
		}
	}
	if len(fields) == 1 {
		networks = [2]bool{true, true}
	}
	return port, networks, err
}

// networksText is empty for both.
func networksText(tcp, udp bool) string {
	switch {
	case tcp && !udp:
		return ",tcp"
	case udp && !tcp:
		return ",udp"
	}
	return ""
}

// rest is the port for what arrives by no way, 0 if there is none.
func (s Spec) rest(proto byte) uint16 {
	if proto == protoTCP {
		return s.TCPPort
	}
	return s.UDPPort
}

func (s Spec) hasRest() bool { return s.TCPPort != 0 || s.UDPPort != 0 }

// diverts tells whether anything is, beside what goes to Listeners.
func (s Spec) diverts() bool { return s.hasRest() || len(s.Ways) > 0 }

func (s Spec) carries(proto byte) bool {
	return s.rest(proto) != 0 || slices.ContainsFunc(s.Ways, func(w Way) bool { return w.carries(proto) })
}

// protos are those that are diverted at all.
func (s Spec) protos() []byte {
	return slices.DeleteFunc([]byte{protoTCP, protoUDP}, func(proto byte) bool { return !s.carries(proto) })
}

// restProtos are those that are diverted where they arrive by no way.
func (s Spec) restProtos() []byte {
	return slices.DeleteFunc([]byte{protoTCP, protoUDP}, func(proto byte) bool { return s.rest(proto) == 0 })
}

// Ingress are the interfaces by which something arrives that is diverted; none:
// every one but lo.
func (s Spec) Ingress() []string { return s.ingressOf(protoTCP, protoUDP) }

// ingressOf is Ingress of some protocols.
func (s Spec) ingressOf(protos ...byte) []string {
	var all []string
	for _, proto := range protos {
		if s.rest(proto) != 0 {
			if len(s.Ifaces) == 0 {
				return nil
			}
			all = append(all, s.Ifaces...)
		}
		for _, w := range s.Ways {
			if w.carries(proto) {
				all = append(all, w.Ifaces...)
			}
		}
	}
	return interfaces(all)
}

// arrival is how what is diverted comes to the policy rule.
func (s Spec) arrival() arrival {
	return arrival{s.Ingress(), s.Output, s.routed()}
}

// narrower are the protocols that are diverted at fewer interfaces than others.
func (s Spec) narrower() (protos []byte) {
	for _, proto := range s.protos() {
		if !slices.Equal(s.ingressOf(proto), s.Ingress()) {
			protos = append(protos, proto)
		}
	}
	return protos
}

// setOf is the set of a narrower protocol's interfaces.
func setOf(proto byte) string { return setIfaces + "_" + protoName(proto) }

// waySets are the sets of the narrower protocols.
func (s Spec) waySets() (sets []set) {
	for _, proto := range s.narrower() {
		ifaces := s.ingressOf(proto)
		if s.Output && s.Via == TProxy && s.rest(proto) != 0 {
			ifaces = append(ifaces, "lo")
		}
		sets = append(sets, ifaceSet(setOf(proto), ifaces))
	}
	return sets
}

// elsewhere leaves alone what arrives where its protocol is not diverted.
func elsewhere(s Spec) (rules [][]term) {
	for _, proto := range s.narrower() {
		rules = append(rules, []term{protoIs{proto}, ifaceNotIn{setOf(proto)}, goBack})
	}
	return rules
}

func wayChain(i int) string { return fmt.Sprint("way", i+1) }

// wayChains deliver to the ways: in chains of their own, since what finds no
// listener there is not for the others.
func wayChains(s Spec) (chains []chain) {
	for i, w := range s.Ways {
		c := chain{name: wayChain(i)}
		c.add(deliverTo(s, w.port(protoTCP), w.port(protoUDP))...)
		chains = append(chains, c)
	}
	return chains
}

// port is that of a protocol, 0 if the way has it not.
func (w Way) port(proto byte) uint16 {
	if w.carries(proto) {
		return w.Port
	}
	return 0
}

// byWay goes to the chain of the way that a packet arrived by.
func byWay(s Spec, name func(i int) string) (rules [][]term) {
	for i, w := range s.Ways {
		for _, iface := range w.Ifaces {
			rule := []term{ifaceIs{iface, false}}
			if w.TCP != w.UDP && len(s.protos()) > 1 {
				rule = append(rule, protoIs{w.protos()[0]})
			}
			rules = append(rules, append(rule, goTo(name(i))))
		}
	}
	return rules
}

func (w Way) protos() []byte {
	return slices.DeleteFunc([]byte{protoTCP, protoUDP}, func(proto byte) bool { return !w.carries(proto) })
}

// withWays is the Spec with its ways' interfaces in order.
func (s Spec) withWays() Spec {
	s.Ways = slices.Clone(s.Ways)
	for i := range s.Ways {
		s.Ways[i].Ifaces = interfaces(s.Ways[i].Ifaces)
	}
	return s
}

func checkWays(s Spec) error {
	if len(s.Ways) > 0 && !s.hasRest() && len(s.Ifaces) > 0 {
		return fmt.Errorf("interface %s: each way has interfaces of its own, and none takes the rest: leave --iface out, or add an inbound without iface", s.Ifaces[0])
	}
	if s.Output && !s.hasRest() {
		return errors.New("output: the gateway's own traffic arrives by no interface: it needs an inbound without iface, or --port")
	}
	for i, w := range s.Ways {
		switch {
		case len(w.Ifaces) == 0:
			return fmt.Errorf("%s: no interface: name those by which its traffic arrives", w.name())
		case w.Port == 0 || !w.TCP && !w.UDP:
			return fmt.Errorf("%s: no port: want the interfaces and where sluice listens, as lan1=12346", w.name())
		case s.Via == Redirect && w.UDP:
			return fmt.Errorf("%s: redirect carries TCP alone: write it as %s, or use --via tproxy", w.name(), Way{Ifaces: w.Ifaces, Port: w.Port, TCP: true})
		}
		for _, other := range s.Ways[:i] {
			if a, b, proto := clash(w, other); proto != 0 {
				return fmt.Errorf("%s: %s arrives by %s already (%s, %s): name it in one of the two", w.name(), a, other.name(), b, protoName(proto))
			}
		}
	}
	return nil
}

// clash names interfaces of two ways that are or may be the same, and a
// protocol that both carry.
func clash(w, other Way) (a, b string, proto byte) {
	for _, a := range w.Ifaces {
		for _, b := range other.Ifaces {
			for _, proto := range w.protos() {
				if other.carries(proto) && (covers(a, b) || covers(b, a)) {
					return a, b, proto
				}
			}
		}
	}
	return "", "", 0
}
