package redir

import (
	"slices"

	"sluice/redir/inbound"
	"sluice/redir/tcp"
	"sluice/redir/udp"
	"sluice/redir/upstream"
)

// tcpSettings and udpSettings are what workers need of o that may change while
// they run.
func (o *Options) tcpSettings() *tcp.Settings {
	return &tcp.Settings{
		ConnectTimeout:   o.ConnectTimeout,
		IdleTimeout:      o.IdleTimeout,
		HalfCloseTimeout: o.HalfCloseTimeout,
		Client:           o.KeepaliveClient,
		Upstream:         o.KeepaliveUpstream,
		Mark:             o.Mark,
	}
}

func (o *Options) udpSettings() *udp.Settings { return &udp.Settings{Mark: o.Mark, ICMP: o.ICMP} }

// checkRights finds out at the start whether what traffic will need is allowed.
func (o *Options) checkRights() error {
	if err := upstream.CheckMark(o.Mark); err != nil {
		return err
	}
	if slices.ContainsFunc(o.Inbounds, func(in inbound.Spec) bool { return in.UDP }) {
		return udp.CheckRights()
	}
	return nil
}
