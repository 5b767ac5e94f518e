package config

import (
	"sluice/redir/inbound"
	"sluice/redir/resolve"
)

// dest is where a direct inbound leads: at the port that it listens on, unless
// another is named. Other kinds have none.
func (r *inboundReader) dest(kind inbound.Kind, listenPort uint16) (t resolve.Target) {
	address, named := r.members.find("override_address")
	port, ported := r.members.find("override_port")
	if kind != inbound.Direct {
		const elsewhere = "%s inbounds carry traffic to where it was going: only direct ones lead elsewhere"
		if named {
			r.fault("override_address", address, elsewhere, kind)
		}
		if ported {
			r.fault("override_port", port, elsewhere+"; see the key map", kind)
		}
		return t
	}
	if named {
		text, _ := address.value.(string)
		var err error
		if t.Host, err = resolve.ParseHost(text); err != nil {
			r.fault("override_address", address, `want an address or a name, as "10.0.0.5" or "backend.example", not %s: %v`, address, err)
		}
	}
	if t.Port = listenPort; ported {
		t.Port = r.portOf("override_port", port)
	}
	return t
}
