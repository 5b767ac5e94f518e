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
func (d *document) inbounds(path string, nodes []node) ([]inbound.Spec, error) {
	var all []inbound.Spec
	for i, n := range nodes {
		r := inboundReader{objectReader{document: d, node: n}}
		if path != "" {
			r.path = fmt.Sprintf("%s[%d]", path, i)
		}
		in, err := r.read()
		if err != nil {
			return nil, err
		}
		for j, other := range all {
			if _, tagged := r.members.find("tag"); tagged && in.Tag == other.Tag {
				return nil, d.errorf(n.offset, r.path, "its tag %q is that of inbounds[%d]", in.Tag, j)
			}
			if collide(in, other) {
				return nil, d.errorf(n.offset, r.path, "listens where inbounds[%d] does: %s", j, Listen(in))
			}
		}
		all = append(all, in)
	}
	return all, nil
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

func (r *inboundReader) read() (in inbound.Spec, err error) {
	if r.members, err = r.document.members(r.node, r.path, inInbound, inboundKeys); err != nil {
		return in, err
	}
	kind, err := r.kind()
	if err != nil {
		return in, err
	}
	addr, err := r.addr()
	if err != nil {
		return in, err
	}
	port, err := r.port()
	if err != nil {
		return in, err
	}
	in = inbound.Spec{Kind: kind, Listen: netip.AddrPortFrom(addr, port)}
	if err := r.network(&in); err != nil {
		return in, err
	}
	if in.Dest, err = r.dest(kind, port); err != nil {
		return in, err
	}
	if in.UDPTimeout, err = r.timeout("udp_timeout"); err != nil {
		return in, err
	}
	if in.UDPQueryTimeout, err = r.timeout("udp_query_timeout"); err != nil {
		return in, err
	}
	if in.Ifaces, err = r.ifaces(); err != nil {
		return in, err
	}
	if err := r.way(&in); err != nil {
		return in, err
	}
	in.Tag, err = r.tag(Listen(in))
	return in, err
}

func (r *inboundReader) kind() (inbound.Kind, error) {
	n, ok := r.members.find("type")
	name, _ := n.value.(string)
	switch {
	case !ok:
		return 0, r.errorf(r.node.offset, r.path, `has no "type": want %s`, value.OneOf(kindNames()))
	case slices.Contains(foreignTypes, name) || slices.Contains(proxyTypes, name):
		return 0, r.fault("type", n, "sluice has no %s inbounds: it takes what the kernel diverts, and speaks no proxy's protocol with clients; want %s", name, value.OneOf(kindNames()))
	}
	for _, kind := range inbound.Kinds() {
		if n.value == kind.String() {
			return kind, nil
		}
	}
	return 0, r.fault("type", n, `want %s, not %s%s`, value.OneOf(kindNames()), n, nearestOf(n, kindNames()))
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
func (r *inboundReader) addr() (netip.Addr, error) {
	n, ok := r.members.find("listen")
	if !ok {
		return netip.IPv6Unspecified(), nil
	}
	text, _ := n.value.(string)
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return addr, r.fault("listen", n, `want an IP address, as "::" for both families, not %s`, n)
	}
	if addr.Zone() != "" {
		return addr, r.fault("listen", n, "an address with a zone cannot be listened on; leave %%%s out", addr.Zone())
	}
	return addr.Unmap(), nil
}

func (r *inboundReader) port() (uint16, error) {
	n, ok := r.members.find("listen_port")
	if !ok {
		return 0, r.errorf(r.node.offset, r.path, `has no "listen_port"`)
	}
	return r.portOf("listen_port", n)
}

// network sets in's networks; without the key, all that its kind carries.
func (r *inboundReader) network(in *inbound.Spec) error {
	n, ok := r.members.find("network")
	if !ok {
		in.TCP, in.UDP = true, in.Kind != inbound.Redirect
		return nil
	}
	for _, element := range n.elements() {
		switch {
		case element.value == "tcp":
			in.TCP = true
		case element.value == "udp" && in.Kind == inbound.Redirect:
			return r.fault("network", element, "REDIRECT carries TCP only; use a tproxy inbound for UDP")
		case element.value == "udp":
			in.UDP = true
		default:
			return r.fault("network", element, `want "tcp", "udp" or a list of both, not %s%s`, element, nearestOf(element, []string{"tcp", "udp"}))
		}
	}
	if !in.TCP && !in.UDP {
		return r.fault("network", n, `want "tcp", "udp" or a list of both, not an empty list`)
	}
	return nil
}

// ifaces are those by which it comes, with commas between.
func (r *inboundReader) ifaces() (string, error) {
	n, ok := r.members.find("iface")
	if !ok {
		return "", nil
	}
	var names []string
	for _, element := range n.elements() {
		name, _ := element.value.(string)
		if name == "" || strings.Contains(name, ",") {
			return "", r.fault("iface", element, "want the name of an interface, a pattern as ppp*, or a list of them, not %s", element)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return "", r.fault("iface", n, "want the name of an interface, a pattern as ppp*, or a list of them, not an empty list")
	}
	return strings.Join(names, ","), nil
}

// way sets how what comes by in leaves.
func (r *inboundReader) way(in *inbound.Spec) (err error) {
	if in.Source, err = r.source("source"); err != nil {
		return err
	}
	if in.Mark, err = r.mark("mark"); err != nil {
		return err
	}
	if in.Device, err = r.text("bind_iface", "the name of an interface"); err != nil {
		return err
	}
	if n, ok := r.members.find("send_proxy"); ok {
		text, _ := n.value.(string)
		sending, err := proxyproto.ParseSending(text)
		if err != nil {
			return r.fault("send_proxy", n, `want "off", "v1", "v2" or "v2+udp", not %s%s`, n, nearestOf(n, []string{"off", "v1", "v2", "v2+udp"}))
		}
		in.SendProxy = sending
	}
	if n, ok := r.members.find("client_rate"); ok {
		text, _ := Text.text(n)
		if err := in.ClientRate.UnmarshalText([]byte(text)); err != nil {
			return r.fault("client_rate", n, "%v", err)
		}
	}
	return nil
}

// tag names the inbound; without the key, by where it listens.
func (r *inboundReader) tag(otherwise string) (string, error) {
	tag, err := r.text("tag", "a name")
	return cmp.Or(tag, otherwise), err
}

// Listen says where an inbound listens: tproxy [::]:12345.
func Listen(in inbound.Spec) string {
	return in.Kind.String() + " " + in.Listen.String()
}
