package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/redir/outbound"
	"sluice/redir/resolve"
	"sluice/redir/source"
	"sluice/redir/value"
)

// outbounds reads each node of a list as an outbound.
func (j *joint) outbounds(d *document, list node) {
	nodes, isList := list.value.([]node)
	if !isList {
		d.errorf(list.offset, "outbounds", "want a list of objects, not %s", list)
		return
	}
	for i, n := range nodes {
		r := outboundReader{objectReader{document: d, node: n, path: fmt.Sprintf("outbounds[%d]", i)}}
		o := r.read()
		for k, other := range j.file.Outbounds {
			if o.Tag == other.Tag && o.Tag != "" {
				earlier := &j.outboundReaders[k]
				d.errorf(n.offset, r.path, "its tag %q is that of %s; give it another", o.Tag, spot{earlier.document, 0, earlier.path}.from(d))
			}
		}
		j.file.Outbounds = append(j.file.Outbounds, o)
		j.outboundReaders = append(j.outboundReaders, r)
	}
}

// checkOutbounds finds fault with what outbounds say of each other.
func (j *joint) checkOutbounds() {
	var fault *outbound.Fault
	if errors.As(outbound.Validate(j.file.Outbounds), &fault) {
		j.outboundReaders[fault.Index].note(fault)
	}
}

// outboundReader reads one outbound.
type outboundReader struct{ objectReader }

// note says where in the file a fault is.
func (r *outboundReader) note(fault *outbound.Fault) {
	key, _, _ := strings.Cut(fault.Key, "[")
	n, ok := r.members.find(key)
	if !ok {
		r.errorf(r.node.offset, r.path, "%s%s%v", fault.Key, strings.Repeat(": ", min(1, len(fault.Key))), fault.Err)
		return
	}
	if i, err := strconv.Atoi(strings.Trim(strings.TrimPrefix(fault.Key, key), "[]")); err == nil && i < len(n.elements()) {
		n = n.elements()[i]
	}
	r.fault(fault.Key, n, "%v", fault.Err)
}

func (r *outboundReader) read() (o outbound.Spec) {
	if !r.object() {
		return o
	}
	o.Tag = r.text("tag", "a name")
	var known bool
	if o.Kind, known = r.kind(); !known {
		for _, m := range r.members {
			if slices.Contains(alike[spelled(m.key)], "type") {
				r.unknown(m, []string{"type", "tag"})
			}
		}
		r.lacks(r.without("type", value.OneOf(outboundNames())))
		return o
	}
	r.known(o.Kind)
	for _, part := range []func(*outbound.Spec){r.dial, r.server, r.login, r.version, r.method, r.group} {
		part(&o)
	}
	o.Fallback = r.text("fallback", "the tag of an outbound")
	o.Tag = cmp.Or(o.Tag, o.String())
	return o
}

func (r *outboundReader) kind() (kind outbound.Kind, known bool) {
	n, ok := r.members.find("type")
	for _, kind := range outbound.Kinds() {
		if n.value == kind.String() {
			return kind, true
		}
	}
	name, _ := n.value.(string)
	names := outboundNames()
	switch {
	case !ok:
	case slices.Contains(foreignTypes, name):
		r.fault("type", n, "sluice has no %s outbounds: want %s; a program that speaks it can be a socks outbound's server", name, value.OneOf(names))
	default:
		r.fault("type", n, "want %s, not %s%s", value.OneOf(names), n, r.nearestOf(n, names))
	}
	return 0, false
}

func outboundNames() (names []string) {
	for _, kind := range outbound.Kinds() {
		names = append(names, kind.String())
	}
	return names
}

// either is the key that the object has of two that mean the same.
func (r *outboundReader) either(key, other string) string {
	n, second := r.members.find(other)
	if _, first := r.members.find(key); first && second {
		r.fault(other, n, "it comes twice: %q means the same", key)
	} else if !first {
		return other
	}
	return key
}

// dial reads how sockets leave.
func (r *outboundReader) dial(o *outbound.Spec) {
	o.Device = r.text(r.either("bind_interface", "bind_iface"), "the name of an interface")
	o.Mark = r.mark(r.either("routing_mark", "mark"))
	o.Source = r.source("source")
	r.bindAddress(o)
	o.ConnectTimeout = r.timeout("connect_timeout")
}

// bindAddress reads a source of one family, and one of the other.
func (r *outboundReader) bindAddress(o *outbound.Spec) {
	for _, key := range []string{"inet4_bind_address", "inet6_bind_address"} {
		n, ok := r.members.find(key)
		if !ok {
			continue
		}
		if _, also := r.members.find("source"); also {
			r.fault(key, n, `it comes twice: "source" means the same, as "203.0.113.5,2001:db8::5"`)
			continue
		}
		text, _ := n.value.(string)
		s, err := source.Parse(text)
		of4 := key == "inet4_bind_address"
		switch {
		case err != nil && text != "":
			r.fault(key, n, "%v", err)
			continue
		case of4 && !s.IPv4.IsValid() || !of4 && !s.IPv6.IsValid() || s.IPv4.IsValid() && s.IPv6.IsValid():
			r.fault(key, n, "want an address of its family, not %s", n)
			continue
		case of4:
			o.Source.IPv4 = s.IPv4
		default:
			o.Source.IPv6 = s.IPv6
		}
		o.Source.Kind = source.Address
	}
}

// server reads where the proxy is.
func (r *outboundReader) server(o *outbound.Spec) {
	if n, ok := r.members.find("server"); ok {
		text, _ := n.value.(string)
		var err error
		if o.Server.Host, err = resolve.ParseHost(text); err != nil {
			r.fault("server", n, `want an address or a name, as "192.0.2.7" or "proxy.example", not %s: %v`, n, err)
		}
	}
	if n, ok := r.members.find("server_port"); ok {
		o.Server.Port = r.portOf("server_port", n)
	}
}

// envPrefix begins a password that a variable holds.
const envPrefix = "env:"

// login reads what the proxy is told, and never shows it.
func (r *outboundReader) login(o *outbound.Spec) {
	o.User = r.text("username", "a user")
	if n, ok := r.members.find("password"); ok {
		text, isText := n.value.(string)
		name, ofEnv := strings.CutPrefix(text, envPrefix)
		switch {
		case !isText || text == "" || len(text) > longestText:
			r.fault("password", n, `want a string, as "env:NAME", which names a variable`)
		case text == outbound.Hidden:
			r.fault("password", n, `%q is what --print-config shows instead of a password: put the password here, or a password_file, or "env:NAME"`, text)
		case ofEnv && (name == "" || strings.ContainsAny(name, "=\x00")):
			r.fault("password", n, `"env:NAME" names a variable, as "env:PROXY_PASSWORD"`)
		case ofEnv:
			o.PasswordEnv = name
		default:
			o.Password = outbound.Secret(text)
		}
	}
	if o.PasswordFile = r.text("password_file", "the path of a file"); o.PasswordFile != "" {
		o.PasswordFile = r.beside(o.PasswordFile)
	}
}

// version finds fault with one that sluice does not speak.
func (r *outboundReader) version(*outbound.Spec) {
	n, ok := r.members.find("version")
	if text, _ := Text.text(n); ok && text != "5" {
		r.fault("version", n, `sluice speaks SOCKS5 only: want "5" or nothing, not %s, and the port where the server speaks it`, n)
	}
}

// Methods of block.
const (
	blockReset = "reset"
	blockDrop  = "drop"
)

func (r *outboundReader) method(o *outbound.Spec) {
	o.Silent = r.choice("method", blockReset, blockDrop) == blockDrop
}

// group reads members and how they are tested.
func (r *outboundReader) group(o *outbound.Spec) {
	if o.Kind != outbound.Group {
		return
	}
	if n, ok := r.members.find("outbounds"); ok {
		for i, element := range n.elements() {
			tag, _ := element.value.(string)
			if tag == "" {
				r.fault(fmt.Sprintf("outbounds[%d]", i), element, "want the tag of an outbound, not %s", element)
			}
			o.Members = append(o.Members, tag)
		}
	}
	o.Test = cmp.Or(r.text("url", "what is asked for, as "+outbound.DefaultTest), outbound.DefaultTest)
	o.Interval = cmp.Or(r.timeout("interval"), outbound.DefaultInterval)
	o.Tolerance = outbound.DefaultTolerance
	if n, ok := r.members.find("tolerance"); ok {
		o.Tolerance = r.tolerance(n)
	}
}

// tolerance is a number of milliseconds, or a time.
func (r *outboundReader) tolerance(n node) (tolerance time.Duration) {
	text, ok := Text.text(n)
	var err error
	if ms, notNumber := value.Unsigned(text, 31); notNumber == nil {
		tolerance = time.Duration(ms) * time.Millisecond
	} else {
		tolerance, err = value.Duration(text)
	}
	if !ok || err != nil || tolerance < 0 {
		r.fault("tolerance", n, `want a number of milliseconds, or a time as "50ms", not %s`, n)
	}
	return tolerance
}
