package config

import (
	"sluice/redir/inbound"
	"sluice/redir/resolve"
)

// dest is where a direct inbound leads: at the port that it listens on, unless
// another is named. Other kinds have none.
func (r *inboundReader) dest(kind inbound.Kind, listenPort uint16) (t resolve.Target, err error) {
	address, named := r.members.find("override_address")
	port, ported := r.members.find("override_port")
	switch {
	case kind != inbound.Direct && named:
		return t, r.fault("override_address", address, "%s inbounds carry traffic to where it was going: only direct ones lead elsewhere", kind)
	case kind != inbound.Direct && ported:
		return t, r.fault("override_port", port, "%s inbounds carry traffic to where it was going: only direct ones lead elsewhere; see the key map", kind)
	case kind != inbound.Direct:
		return t, nil
	case !named:
		return t, r.errorf(r.node.offset, r.path, `has no "override_address": want the address or the name that it leads to`)
	}
	text, _ := address.value.(string)
	if t.Host, err = resolve.ParseHost(text); err != nil {
		return t, r.fault("override_address", address, `want an address or a name, as "10.0.0.5" or "backend.example", not %s: %v`, address, err)
	}
	if t.Port = listenPort; ported {
		t.Port, err = r.portOf("override_port", port)
	}
	return t, err
}
