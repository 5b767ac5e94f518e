package resolve

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Target is where a forward leads. The zero value is none.
type Target struct {
	Host string // an address as netip.Addr.String has it, or a name
	Port uint16
}

// mostName is the length of the longest name, in bytes (RFC 1035 section 2.3.4),
// and mostLabel that of a part of it.
const mostName, mostLabel = 253, 63

// ParseTarget reads IPV4:PORT, [IPV6]:PORT or NAME:PORT; without a port it is
// otherwise.
func ParseTarget(text string, otherwise uint16) (Target, error) {
	const want = "want an address or a name, as 10.0.0.5:80, [fd00::5]:80 or backend.example:80"
	host, port := text, otherwise
	_, err := netip.ParseAddr(text) // IPv6 without brackets has colons and no port
	if i := strings.LastIndexByte(text, ':'); err != nil && i >= 0 && !strings.HasSuffix(text, "]") {
		n, err := strconv.ParseUint(text[i+1:], 10, 16)
		if err != nil || n == 0 {
			return Target{}, fmt.Errorf("%q: %q is no port from 1 to 65535; %s", text, text[i+1:], want)
		}
		host, port = text[:i], uint16(n)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is6() {
			return Target{}, fmt.Errorf("%q: no IPv6 address in brackets; %s", text, want)
		}
	}
	host, err = ParseHost(host)
	if err != nil {
		return Target{}, fmt.Errorf("%q: %w; %s", text, err, want)
	}
	return Target{host, port}, nil
}

// ParseHost reads an address or a name.
func ParseHost(text string) (string, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Unmap().String(), checkAddr(addr.Unmap())
	}
	name := strings.TrimSuffix(text, ".")
	labels := strings.Split(name, ".")
	if len(name) > mostName {
		return "", fmt.Errorf("a name has %d characters at most", mostName)
	}
	for _, label := range labels {
		if label == "" || len(label) > mostLabel || strings.ContainsFunc(label, isNoNameChar) {
			return "", errors.New("neither an address nor a name")
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" { // RFC 3696 section 2
		return "", errors.New("no address, though it ends in a number as one")
	}
	return strings.ToLower(text), nil
}

func isNoNameChar(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '_'
}

// checkAddr finds fault with what nobody can be reached at.
func checkAddr(addr netip.Addr) error {
	switch {
	case addr.Zone() != "":
		return errors.New("an address with a zone cannot be led to")
	case addr.IsUnspecified() || addr.IsMulticast():
		return errors.New("no host has this address")
	}
	return nil
}

// IsName reports whether the host is to be looked up.
func (t Target) IsName() bool {
	_, err := netip.ParseAddr(t.Host)
	return err != nil
}

// AddrPort is the target where it is an address, else not valid.
func (t Target) AddrPort() netip.AddrPort {
	addr, err := netip.ParseAddr(t.Host)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, t.Port)
}

// String is what ParseTarget reads.
func (t Target) String() string { return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port))) }
