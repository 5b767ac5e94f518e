package control

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
)

// Default is where the control socket is, where its directory is there.
const Default = "/run/sluice/control.sock"

// Address is where the control socket is: PATH, ADDR:PORT, or off. The zero value is
// the default one, if that can be had.
type Address struct {
	path string
	tcp  netip.AddrPort
	off  bool
}

const wantAddress = "want a path as " + Default + ", an address and port as 127.0.0.1:9090 or [::1]:9090, or off"

// UnmarshalText reads it.
func (a *Address) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "" {
		*a = Address{}
		return nil
	}
	if s == "off" {
		*a = Address{off: true}
		return nil
	}
	if strings.Contains(s, "/") {
		if !filepath.IsAbs(s) {
			return fmt.Errorf("%q: want the whole path, from / on", s)
		}
		*a = Address{path: filepath.Clean(s)}
		return nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 {
		return fmt.Errorf("%q: %s", s, wantAddress)
	}
	if ap.Addr().Zone() != "" {
		return fmt.Errorf("%q: an address with a zone cannot be listened on; leave %%%s out", s, ap.Addr().Zone())
	}
	*a = Address{tcp: netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())}
	return nil
}

// String is what UnmarshalText reads.
func (a Address) String() string {
	switch {
	case a.off:
		return "off"
	case a.path != "":
		return a.path
	case a.tcp.IsValid():
		return a.tcp.String()
	}
	return ""
}

// IsOff tells whether there shall be none.
func (a Address) IsOff() bool { return a.off }

// IsDefault tells whether none was named.
func (a Address) IsDefault() bool { return a == Address{} }

// TCP is the address and port; invalid where it is a path or off.
func (a Address) TCP() netip.AddrPort { return a.tcp }

// Where is where it leads, the default one too.
func (a Address) Where() string {
	if a.IsDefault() {
		return Default
	}
	return a.String()
}

// Path is that of a unix socket; empty where it is none.
func (a Address) Path() string {
	if a.IsDefault() {
		return Default
	}
	return a.path
}
