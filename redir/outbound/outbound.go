package outbound

import (
	"fmt"

	"sluice/redir/greet"
	"sluice/redir/resolve"
)

// Outbound is a Spec that is open, as all workers see it. It does not change but
// for its health and, of a Group, for the member that it takes.
type Outbound struct {
	Spec
	Dests *resolve.Dests // of its server
	Proxy *greet.Proxy   // how its server is spoken to; nil: it has none

	password Secret
	health   health
	members  *members // of a Group
}

// direct is what there is where nothing is said.
func direct() Spec { return Spec{Kind: Direct, Tag: Direct.String()} }

// Usable reports whether a flow that begins at now (ns of Reactor.Now) may try the
// outbound. False: its server is down, and another flow tries it, or it is too
// early. Ask once for each flow: who is told that it may is expected to.
func (o *Outbound) Usable(now int64) bool { return o.health.usable(now) }

// IsDown reports whether the server was not reached of late. A Group is down where
// all its members are.
func (o *Outbound) IsDown() bool {
	if o.members != nil {
		return o.members.areDown()
	}
	return o.health.isDown()
}

// Reached tells that the server carries a flow, or has refused one for its
// destination's sake.
func (o *Outbound) Reached(now int64) { o.health.reached() }

// Failed tells that the server could not be reached, or broke off before it carried
// a flow. Of outbounds without a server it means nothing.
func (o *Outbound) Failed(now int64, why error) {
	if o.Kind.HasServer() {
		o.health.failed(now, why)
	}
}

// protocols are how servers are spoken to.
var protocols = map[Kind]greet.Protocol{Socks: greet.SOCKS5, HTTP: greet.HTTP}

// open is a spec that is open, but for its members.
func open(spec Spec, dests func(resolve.Target) *resolve.Dests) (*Outbound, error) {
	o := &Outbound{Spec: spec}
	if !spec.Kind.HasServer() {
		return o, nil
	}
	var err error
	if o.password, err = spec.ReadPassword(); err != nil {
		return nil, fmt.Errorf("outbound %q: password: %w", spec.Tag, err)
	}
	if o.Proxy, err = greet.New(protocols[spec.Kind], spec.User, string(o.password)); err != nil {
		return nil, fmt.Errorf("outbound %q: %w", spec.Tag, err)
	}
	o.Dests = dests(spec.Server)
	return o, nil
}

// isStill reports whether the outbound is what the spec says, also where a file
// holds its password.
func (o *Outbound) isStill(spec *Spec) bool {
	if !o.Equal(spec) {
		return false
	}
	password, err := spec.ReadPassword()
	return err == nil && password == o.password
}
