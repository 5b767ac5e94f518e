package redir

import (
	"fmt"
	"slices"

	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/portmap"
	"sluice/redir/socket"
	"sluice/redir/tcp"
	"sluice/redir/udp"
)

// tcpSettings and udpSettings are what workers need of o that may change while
// they run.
func (o *Options) tcpSettings(router *outbound.Router) *tcp.Settings {
	return &tcp.Settings{
		ConnectTimeout:   o.ConnectTimeout,
		SniffTimeout:     o.SniffTimeout,
		IdleTimeout:      o.IdleTimeout,
		HalfCloseTimeout: o.HalfCloseTimeout,
		Client:           o.KeepaliveClient,
		Upstream:         o.KeepaliveUpstream,
		ClientCongestion: o.ClientCongestion,
		RequireSource:    o.RequireSource,
		Fronts:           o.AcceptProxy,
		Ports:            o.ports(),
		Router:           router,
	}
}

func (o *Options) udpSettings(router *outbound.Router) *udp.Settings {
	return &udp.Settings{Mark: o.Path.Mark, ICMP: o.ICMP, RequireSource: o.RequireSource, Ports: o.ports(), Router: router,
		SniffTimeout: o.SniffTimeout, ConnectTimeout: o.ConnectTimeout, Keepalive: o.KeepaliveUpstream}
}

// ports are those of Maps, which are valid.
func (o *Options) ports() *portmap.Map {
	ports, _ := portmap.New(o.Maps)
	return ports
}

// checkRights finds out at the start whether what traffic will need is allowed.
func (o *Options) checkRights() error {
	if err := o.Path.Check(); err != nil {
		return err
	}
	defaults := o.defaults()
	for i := range o.Inbounds {
		path := defaults.PathOf(&o.Inbounds[i])
		if err := path.Check(); err != nil {
			return err
		}
	}
	for i := range o.Outbounds {
		path := o.Outbounds[i].PathFrom(o.Path)
		if err := path.Check(); err != nil {
			return fmt.Errorf("outbound %q: %w", o.Outbounds[i].Tag, err)
		}
	}
	for _, c := range []struct{ flag, name string }{
		{"--congestion-client", o.ClientCongestion}, {"--congestion-upstream", o.Path.Congestion},
	} {
		if err := socket.CheckCongestion(c.name); c.name != "" && err != nil {
			return fmt.Errorf("%s: %w", c.flag, err)
		}
	}
	if slices.ContainsFunc(o.Inbounds, func(in inbound.Spec) bool { return in.UDP }) {
		return udp.CheckRights()
	}
	return nil
}
