package config

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/redir/outbound"
	"sluice/redir/resolve"
	"sluice/redir/source"
	"sluice/redir/value"
)

// outbounds reads each node as an outbound.
func (d *document) outbounds(list node) ([]outbound.Spec, error) {
	nodes, isList := list.value.([]node)
	if !isList {
		return nil, d.errorf(list.offset, "outbounds", "want a list of objects, not %s", list)
	}
	var all []outbound.Spec
	var readers []outboundReader
	for i, n := range nodes {
		r := outboundReader{objectReader{document: d, node: n, path: fmt.Sprintf("outbounds[%d]", i)}}
		o, err := r.read()
		if err != nil {
			return nil, err
		}
		for j, other := range all {
			if o.Tag == other.Tag {
				return nil, d.errorf(n.offset, r.path, "its tag %q is that of outbounds[%d]; give it another", o.Tag, j)
			}
		}
		all, readers = append(all, o), append(readers, r)
	}
	var fault *outbound.Fault
	if errors.As(outbound.Validate(all), &fault) {
		return nil, readers[fault.Index].place(fault)
	}
	return all, nil
}

// outboundReader reads one outbound.
type outboundReader struct{ objectReader }

// place says where in the file a fault is.
func (r *outboundReader) place(fault *outbound.Fault) error {
	key, _, _ := strings.Cut(fault.Key, "[")
	n, ok := r.members.find(key)
	if !ok {
		return r.errorf(r.node.offset, r.path, "%s%s%v", fault.Key, strings.Repeat(": ", min(1, len(fault.Key))), fault.Err)
	}
	if i, err := strconv.Atoi(strings.Trim(strings.TrimPrefix(fault.Key, key), "[]")); err == nil && i < len(n.elements()) {
		n = n.elements()[i]
	}
	return r.fault(fault.Key, n, "%v", fault.Err)
}

func (r *outboundReader) read() (o outbound.Spec, err error) {
	object, ok := r.node.value.(members)
	if !ok {
		return o, r.errorf(r.node.offset, r.path, "want an object, not %s", r.node)
	}
	r.members = object
	if o.Kind, err = r.kind(); err != nil {
		return o, err
	}
	if err := r.known(o.Kind); err != nil {
		return o, err
	}
	for _, part := range []func(*outbound.Spec) error{r.dial, r.server, r.login, r.version, r.method, r.group} {
		if err := part(&o); err != nil {
			return o, err
		}
	}
	if o.Fallback, err = r.text("fallback", "the tag of an outbound"); err != nil {
		return o, err
	}
	tag, err := r.text("tag", "a name")
	o.Tag = cmp.Or(tag, o.String())
	return o, err
}

func (r *outboundReader) kind() (outbound.Kind, error) {
	var names []string
	n, ok := r.members.find("type")
	for _, kind := range outbound.Kinds() {
		if n.value == kind.String() {
			return kind, nil
		}
		names = append(names, kind.String())
	}
	name, _ := n.value.(string)
	for _, m := range r.members {
		if !ok && slices.Contains(alike[spelled(m.key)], "type") {
			return 0, r.unknown(m, r.path, inOutbound, []string{"type", "tag"})
		}
	}
	switch {
	case !ok:
		return 0, r.errorf(r.node.offset, r.path, `has no "type": want %s`, value.OneOf(names))
	case slices.Contains(foreignTypes, name):
		return 0, r.fault("type", n, "sluice has no %s outbounds: want %s; a program that speaks it can be a socks outbound's server", name, value.OneOf(names))
	}
	return 0, r.fault("type", n, "want %s, not %s%s", value.OneOf(names), n, nearestOf(n, names))
}

// either is the key that the object has of two that mean the same.
func (r *outboundReader) either(key, other string) (string, error) {
	n, second := r.members.find(other)
	if _, first := r.members.find(key); first && second {
		return "", r.fault(other, n, "it comes twice: %q means the same", key)
	} else if first {
		return key, nil
	}
	return other, nil
}

// dial reads how sockets leave.
func (r *outboundReader) dial(o *outbound.Spec) error {
	device, err := r.either("bind_interface", "bind_iface")
	if err != nil {
		return err
	}
	if o.Device, err = r.text(device, "the name of an interface"); err != nil {
		return err
	}
	mark, err := r.either("routing_mark", "mark")
	if err != nil {
		return err
	}
	if o.Mark, err = r.mark(mark); err != nil {
		return err
	}
	if o.Source, err = r.source("source"); err != nil {
		return err
	}
	if err := r.bindAddress(o); err != nil {
		return err
	}
	o.ConnectTimeout, err = r.timeout("connect_timeout")
	return err
}

// bindAddress reads a source of one family, and one of the other.
func (r *outboundReader) bindAddress(o *outbound.Spec) error {
	for _, key := range []string{"inet4_bind_address", "inet6_bind_address"} {
		n, ok := r.members.find(key)
		if !ok {
			continue
		}
		if _, also := r.members.find("source"); also {
			return r.fault(key, n, `it comes twice: "source" means the same, as "203.0.113.5,2001:db8::5"`)
		}
		text, _ := n.value.(string)
		s, err := source.Parse(text)
		of4 := key == "inet4_bind_address"
		switch {
		case err != nil && text != "":
			return r.fault(key, n, "%v", err)
		case of4 && !s.IPv4.IsValid() || !of4 && !s.IPv6.IsValid() || s.IPv4.IsValid() && s.IPv6.IsValid():
			return r.fault(key, n, "want an address of its family, not %s", n)
		case of4:
			o.Source.IPv4 = s.IPv4
		default:
			o.Source.IPv6 = s.IPv6
		}
		o.Source.Kind = source.Address
	}
	return nil
}

// server reads where the proxy is.
func (r *outboundReader) server(o *outbound.Spec) (err error) {
	if n, ok := r.members.find("server"); ok {
		text, _ := n.value.(string)
		if o.Server.Host, err = resolve.ParseHost(text); err != nil {
			return r.fault("server", n, `want an address or a name, as "192.0.2.7" or "proxy.example", not %s: %v`, n, err)
		}
	}
	if n, ok := r.members.find("server_port"); ok {
		o.Server.Port, err = r.portOf("server_port", n)
	}
	return err
}

// envPrefix begins a password that a variable holds.
const envPrefix = "env:"

// login reads what the proxy is told, and never shows it.
func (r *outboundReader) login(o *outbound.Spec) (err error) {
	if o.User, err = r.text("username", "a user"); err != nil {
		return err
	}
	if n, ok := r.members.find("password"); ok {
		text, isText := n.value.(string)
		name, ofEnv := strings.CutPrefix(text, envPrefix)
		switch {
		case !isText || text == "" || len(text) > longestText:
			return r.fault("password", n, `want a string, as "env:NAME", which names a variable`)
		case text == outbound.Hidden:
			return r.fault("password", n, `%q is what --print-config shows instead of a password: put the password here, or a password_file, or "env:NAME"`, text)
		case ofEnv && (name == "" || strings.ContainsAny(name, "=\x00")):
			return r.fault("password", n, `"env:NAME" names a variable, as "env:PROXY_PASSWORD"`)
		case ofEnv:
			o.PasswordEnv = name
		default:
			o.Password = outbound.Secret(text)
		}
	}
	o.PasswordFile, err = r.text("password_file", "the path of a file")
	if o.PasswordFile != "" {
		o.PasswordFile = r.beside(o.PasswordFile)
	}
	return err
}

// beside is a path as the file means it that names it: relative to its directory.
func (d *document) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(d.name), path)
}

// version finds fault with one that sluice does not speak.
func (r *outboundReader) version(*outbound.Spec) error {
	n, ok := r.members.find("version")
	if text, _ := Text.text(n); ok && text != "5" {
		return r.fault("version", n, `sluice speaks SOCKS5 only: want "5" or nothing, not %s, and the port where the server speaks it`, n)
	}
	return nil
}

// Methods of block.
const (
	blockReset = "reset"
	blockDrop  = "drop"
)

func (r *outboundReader) method(o *outbound.Spec) error {
	n, ok := r.members.find("method")
	if ok && n.value != blockReset && n.value != blockDrop {
		return r.fault("method", n, "want %s, not %s%s", value.OneOf([]string{blockReset, blockDrop}), n, nearestOf(n, []string{blockReset, blockDrop}))
	}
	o.Silent = n.value == blockDrop
	return nil
}

// group reads members and how they are tested.
func (r *outboundReader) group(o *outbound.Spec) (err error) {
	if o.Kind != outbound.Group {
		return nil
	}
	if n, ok := r.members.find("outbounds"); ok {
		for i, element := range n.elements() {
			tag, _ := element.value.(string)
			if tag == "" {
				return r.fault(fmt.Sprintf("outbounds[%d]", i), element, "want the tag of an outbound, not %s", element)
			}
			o.Members = append(o.Members, tag)
		}
	}
	if o.Test, err = r.text("url", "what is asked for, as "+outbound.DefaultTest); err != nil {
		return err
	}
	if o.Interval, err = r.timeout("interval"); err != nil {
		return err
	}
	o.Test, o.Interval = cmp.Or(o.Test, outbound.DefaultTest), cmp.Or(o.Interval, outbound.DefaultInterval)
	o.Tolerance = outbound.DefaultTolerance
	if n, ok := r.members.find("tolerance"); ok {
		o.Tolerance, err = r.tolerance(n)
	}
	return err
}

// tolerance is a number of milliseconds, or a time.
func (r *outboundReader) tolerance(n node) (time.Duration, error) {
	var tolerance time.Duration
	var err error
	text, ok := Text.text(n)
	if ms, notNumber := value.Unsigned(text, 31); notNumber == nil {
		tolerance = time.Duration(ms) * time.Millisecond
	} else if tolerance, err = value.Duration(text); !ok {
		err = errors.ErrUnsupported
	}
	if err != nil || tolerance < 0 {
		return 0, r.fault("tolerance", n, `want a number of milliseconds, or a time as "50ms", not %s`, n)
	}
	return tolerance, nil
}
