package view

import (
	"net/netip"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/redir/record"
)

// Flow is the record r; wall gives the time of day at a time of Reactor.Now.
func Flow(r *record.Record, wall func(ns int64) time.Time) api.Flow {
	f := api.Flow{
		ID: r.ID.String(), Network: Network(r.ID), State: r.State.String(), Inbound: r.Inbound,
		Client: address(r.Client), Destination: address(r.Dest), Name: r.Name,
		Source: address(r.Source), Outbound: r.Out, Server: address(r.Server), Mark: r.Mark,
		Started: wall(r.Start), Active: wall(r.Active), Held: r.Held,
		BytesUp: r.Up.Bytes, BytesDown: r.Down.Bytes, DatagramsUp: r.Up.Datagrams, DatagramsDown: r.Down.Datagrams,
	}
	if r.Dialed != r.Dest {
		f.Dialed = address(r.Dialed)
	}
	if r.Rule >= 0 {
		rule := r.Rule
		f.Rule = &rule
	}
	if r.Cause != 0 {
		ended := wall(r.End)
		f.Cause, f.Ended = r.Cause.String(), &ended
	}
	return f
}

// Network is tcp or udp.
func Network(id record.ID) string {
	if id.IsSession() {
		return "udp"
	}
	return "tcp"
}

// address is ADDR:PORT, or nothing.
func address(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
