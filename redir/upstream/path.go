package upstream

import (
	"fmt"

	"sluice/redir/proxyproto"
	"sluice/redir/source"
)

// mostDeviceName is the length of the longest name of an interface, in bytes
// (IFNAMSIZ - 1, linux/if.h).
const mostDeviceName = 15

// Path is how sockets towards destinations leave the machine.
type Path struct {
	Source     source.Source
	Mark       uint32 // SO_MARK, 0 for none
	Device     string // SO_BINDTODEVICE: an interface or a VRF; "": wherever the routes lead
	Congestion string // TCP_CONGESTION; "": the namespace's default
	TOS        TOS
	SendProxy  proxyproto.Sending
}

// OutlivesPort tells whether a UDP socket that took the path takes it still when it has
// lost its port: an address and a device go with that (socket.Unbind).
func (p *Path) OutlivesPort() bool { return p.Source.Kind != source.Address && p.Device == "" }

// Validate finds fault with a Device that no interface can be called.
func (p *Path) Validate() error {
	if len(p.Device) > mostDeviceName {
		return fmt.Errorf("interface %q: a name has 1 to %d characters: see ip link", p.Device, mostDeviceName)
	}
	return nil
}
