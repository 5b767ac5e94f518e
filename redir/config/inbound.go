package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sluice/redir/inbound"
	"sluice/redir/proxyproto"
	"sluice/redir/value"
)

// inboundKeys are the keys of one inbound.
var inboundKeys = []string{"type", "tag", "listen", "listen_port", "network", "override_address", "override_port", "udp_timeout", "udp_query_timeout", "iface", "source", "mark", "bind_iface", "send_proxy", "client_rate"}

// inbounds reads each node as an inbound; path is that of their list, empty
// for one that stands alone.
func (j *joint) inbounds(d *document, path string, nodes []node) {
	for i, n := range nodes {
		r := inboundReader{objectReader{document: d, node: n}}
		if path != "" {
			r.path = fmt.Sprintf("%s[%d]", path, i)
		}
		before := len(*d.faults)
		in := r.read()
		if len(*d.faults) > before {
			continue
		}
		for k, other := range j.file.Inbounds {
			if _, tagged := r.members.find("tag"); tagged && in.Tag == other.Tag {
				d.errorf(n.offset, r.path, "its tag %q is that of %s", in.Tag, j.file.inbounds[k].from(d))
			} else if collide(in, other) {
				d.errorf(n.offset, r.path, "listens where %s does: %s", j.file.inbounds[k].from(d), Listen(in))
			}
		}
		j.file.Inbounds = append(j.file.Inbounds, in)
		j.file.inbounds = append(j.file.inbounds, spot{d, n.offset, r.path})
	}
}

// collide tells whether both want one socket: the same port, address and
// network. The address :: stands for both families.
func collide(a, b inbound.Spec) bool {
	families := func(addr netip.Addr) []netip.Addr {
		if addr == netip.IPv6Unspecified() {
			return []netip.Addr{addr, netip.IPv4Unspecified()}
		}
		return []netip.Addr{addr}
	}
	shared := slices.ContainsFunc(families(a.Listen.Addr()), func(addr netip.Addr) bool {
		return slices.Contains(families(b.Listen.Addr()), addr)
	})
	return shared && a.Listen.Port() == b.Listen.Port() && (a.TCP && b.TCP || a.UDP && b.UDP)
}

// inboundReader reads one inbound.
type inboundReader struct{ objectReader }

func (r *inboundReader) read() (in inbound.Spec) {
	if !r.object() {
		return in
	}
	r.known(inboundKeys)
	kind, known := r.kind()
	in = inbound.Spec{Kind: kind, Listen: netip.AddrPortFrom(r.addr(), r.port())}
	if known {
		r.network(&in)
		in.Dest = r.dest(kind, in.Listen.Port())
	}
	in.UDPTimeout = r.timeout("udp_timeout")
	in.UDPQueryTimeout = r.timeout("udp_query_timeout")
	in.Ifaces = r.ifaces()
	r.way(&in)
	in.Tag = cmp.Or(r.text("tag", "a name"), Listen(in))
	address := ""
	if kind == inbound.Direct {
		address = r.without("override_address", "the address or the name that it leads to")
	}
	r.lacks(r.without("type", value.OneOf(kindNames())), r.without("listen_port", ""), address)
	return in
}

func (r *inboundReader) kind() (kind inbound.Kind, known bool) {
	n, ok := r.members.find("type")
	if !ok {
		return 0, false
	}
	for _, kind := range inbound.Kinds() {
		if n.value == kind.String() {
			return kind, true
		}
	}
	if name, _ := n.value.(string); slices.Contains(foreignTypes, name) || slices.Contains(proxyTypes, name) {
		r.fault("type", n, "sluice has no %s inbounds: it takes what the kernel diverts, and speaks no proxy's protocol with clients; want %s", name, value.OneOf(kindNames()))
	} else {
		r.fault("type", n, "want %s, not %s%s", value.OneOf(kindNames()), n, r.nearestOf(n, kindNames()))
	}
	return 0, false
}

// proxyTypes are sing-box's types of inbounds, beside foreignTypes, that sluice does
// not have.
var proxyTypes = []string{"http", "mixed", "socks"}

func kindNames() (names []string) {
	for _, kind := range inbound.Kinds() {
		names = append(names, kind.String())
	}
	return names
}

// addr is that of "listen"; without one, :: and so both families.
func (r *inboundReader) addr() netip.Addr {
	n, ok := r.members.find("listen")
	if !ok {
		return netip.IPv6Unspecified()
	}
	text, _ := n.value.(string)
	addr, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		r.fault("listen", n, `want an IP address, as "::" for both families, not %s`, n)
	case addr.Zone() != "":
		r.fault("listen", n, "an address with a zone cannot be listened on; leave %%%s out", addr.Zone())
	}
	return addr.Unmap()
}

func (r *inboundReader) port() uint16 {
	n, ok := r.members.find("listen_port")
	if !ok {
		return 0
	}
	return r.portOf("listen_port", n)
}

// network sets in's networks; without the key, all that its kind carries.
func (r *inboundReader) network(in *inbound.Spec) {
	n, ok := r.members.find("network")
	if !ok {
		in.TCP, in.UDP = true, in.Kind != inbound.Redirect
		return
	}
	elements := n.elements()
	for _, element := range elements {
		switch {
		case element.value == "tcp":
			in.TCP = true
		case element.value == "udp" && in.Kind == inbound.Redirect:
			r.fault("network", element, "REDIRECT carries TCP only; use a tproxy inbound for UDP")
		case element.value == "udp":
			in.UDP = true
		default:
			r.fault("network", element, `want "tcp", "udp" or a list of both, not %s%s`, element, r.nearestOf(element, []string{"tcp", "udp"}))
		}
	}
	if len(elements) == 0 {
		r.fault("network", n, `want "tcp", "udp" or a list of both, not an empty list`)
	}
}

// ifaces are those by which it comes, with commas between.
func (r *inboundReader) ifaces() string {
	n, ok := r.members.find("iface")
	if !ok {
		return ""
	}
	const want = "want the name of an interface, a pattern as ppp*, or a list of them, not "
	var names []string
	elements := n.elements()
	for _, element := range elements {
		name, _ := element.value.(string)
		if name == "" || strings.Contains(name, ",") {
			r.fault("iface", element, want+"%s", element)
		}
		names = append(names, name)
	}
	if len(elements) == 0 {
		r.fault("iface", n, want+"an empty list")
	}
	return strings.Join(names, ",")
}

// way sets how what comes by in leaves.
func (r *inboundReader) way(in *inbound.Spec) {
	in.Source = r.source("source")
	in.Mark = r.mark("mark")
	in.Device = r.text("bind_iface", "the name of an interface")
	if n, ok := r.members.find("send_proxy"); ok {
		text, _ := n.value.(string)
		sending, err := proxyproto.ParseSending(text)
		if err != nil {
			r.fault("send_proxy", n, `want "off", "v1", "v2" or "v2+udp", not %s%s`, n, r.nearestOf(n, []string{"off", "v1", "v2", "v2+udp"}))
		}
		in.SendProxy = sending
	}
	if n, ok := r.members.find("client_rate"); ok {
		text, _ := Text.text(n)
		if err := in.ClientRate.UnmarshalText([]byte(text)); err != nil {
			r.fault("client_rate", n, "%v", err)
		}
	}
}

// Listen says where an inbound listens: tproxy [::]:12345.
func Listen(in inbound.Spec) string {
	return in.Kind.String() + " " + in.Listen.String()
}
