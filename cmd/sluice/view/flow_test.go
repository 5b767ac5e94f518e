package view

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/cmd/sluice/api"
	"sluice/redir/count"
	"sluice/redir/record"
)

var start = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func wall(ns int64) time.Time { return start.Add(time.Duration(ns)) }

func TestFlow(t *testing.T) {
	dest := netip.MustParseAddrPort("192.0.2.1:443")
	r := record.Record{
		ID: record.ConnID(1, 2, 3), State: record.Relaying, Inbound: "lan", Held: true, Client: netip.MustParseAddrPort("10.0.0.5:1234"),
		Dest: dest, Dialed: dest, Name: "example.org", Out: "vpn", Rule: -1, Mark: 7, Start: 1e9, Active: 3e9,
		Up: record.Traffic{Bytes: 10}, Down: record.Traffic{Bytes: 20},
	}
	want := api.Flow{
		ID: "t1.2.3", Network: "tcp", State: "relaying", Inbound: "lan", Held: true, Client: "10.0.0.5:1234",
		Destination: "192.0.2.1:443", Name: "example.org", Outbound: "vpn", Mark: 7, Started: wall(1e9), Active: wall(3e9),
		BytesUp: 10, BytesDown: 20,
	}
	if diff := cmp.Diff(want, Flow(&r, wall)); diff != "" {
		t.Error(diff)
	}
	r.ID, r.State, r.Cause, r.Rule, r.Dialed = record.SessionID(1, 3), record.Ended, count.FlowsEvicted, 0, netip.MustParseAddrPort("[2001:db8::1]:53")
	r.Source, r.Server = netip.MustParseAddrPort("198.51.100.1:1"), netip.MustParseAddrPort("198.51.100.2:2")
	r.Up.Datagrams, r.Down.Datagrams, r.End = 1, 2, 4e9
	rule, ended := 0, wall(4e9)
	want.ID, want.Network, want.State, want.Cause, want.Rule, want.Dialed = "u1.3", "udp", "ended", "udp_sessions_evicted", &rule, "[2001:db8::1]:53"
	want.Source, want.Server, want.DatagramsUp, want.DatagramsDown, want.Ended = "198.51.100.1:1", "198.51.100.2:2", 1, 2, &ended
	if diff := cmp.Diff(want, Flow(&r, wall)); diff != "" {
		t.Error(diff)
	}
}
