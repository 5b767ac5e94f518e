package count

import (
	"sync/atomic"

	"github.com/rs/zerolog"
)

// Counter names one thing that is counted.
type Counter uint8

// What a worker counts. Everything only grows; what is there now is a
// difference (Stats).
const (
	_ Counter = iota // no reason
	ConnsAccepted
	ConnsClosed
	TCPBytesToUpstream
	TCPBytesToClient

	FlowsOpened
	FlowsClosed
	DatagramsToUpstream
	DatagramsToClient
	UDPBytesToUpstream
	UDPBytesToClient

	firstRefusal // admission turned it away
	RefusedListener
	RefusedOwnAddress
	RefusedOwnUpstream // sluice's own, diverted again
	RefusedUnspecified
	RefusedMulticast
	RefusedBroadcast
	RefusedPortZero
	RefusedNoOriginalDest
	RefusedUnresolved     // the name that a forward leads to has no address yet
	RefusedMaxConns       // times that accepting paused at the bound
	RefusedScarce         // connections reset at once, since fds or places were short for long
	RefusedPressure       // the same, and datagrams without a session, since memory is short
	RefusedClientConns    // a client had as many as it may, see admit.Bounds
	RefusedClientDials    // likewise
	RefusedClientConnects // likewise
	RefusedClientSessions // likewise
	RefusedProxyAbsent    // a front's connection that began without a PROXY header
	RefusedProxyMalformed // the same: with one that makes no sense, or is too long
	RefusedProxyLate      // the same: with less than one, for too long
	RefusedEnding         // a connection that came after sluice was told to end
	RefusedBlocked        // a rule of the routes says so
	RefusedSource         // a client whose own address may not be borne (admit.Admission.MayBear)

	firstFailure // a conn or flow that could not be carried
	FailedUpstreamRefused
	FailedUpstreamUnreachable
	FailedUpstreamTimeout
	FailedUpstreamOther
	FailedNoResource // out of fds, ports or memory
	FailedSource     // no socket could have the source that it should
	FailedProxy      // an outbound's server refused, or what it said makes no sense
	FailedProxyAuth  // likewise: it does not take the user and password
	FailedRelay      // broken off by an error of the gateway's own

	firstEnd           // how a conn or flow ended that was carried, or might have been
	ConnsFinished      // both sides had said all
	ConnsResetByClient // or its host is out of reach
	ConnsResetByUpstream
	ConnsKilled // by the operator
	ConnsCut    // by the end of sluice
	TimedOutIdle
	TimedOutHalfClosed
	TimedOutPeer  // a peer vanished: what was sent to it was not acknowledged
	DialsReplaced // ended for a newer connection of the same client, which had as many as it may
	ClientsGone   // connections that the client reset before they were accepted, or a front ended without a header
	GaveWayDial   // ended for a new connection: the upstream had not answered for the longest
	GaveWayIdle   // the same: nothing had moved for the longest
	GaveWayStall  // ended for want of memory: a reader that took nothing
	FlowsIdle     // for their timeout
	FlowsKilled   // by the operator
	FlowsCut      // by the end of sluice
	FlowsMoved    // a forward's, which leads elsewhere now
	FlowsEvicted  // ended early because the NAT table was full
	FlowsReplaced // ended early for a newer one of the same client, which had as many as it may

	firstDrop // a datagram lost inside sluice
	DroppedTruncated
	DroppedNoDest
	DroppedSend
	DroppedNoSession
	DroppedEcho    // of two services that answer each other
	DroppedWaiting // waited in vain for a relay of an outbound's server, or were too many to wait
	DroppedFlood   // would have opened a session while its listener was behind
	DroppedWriteBack
	DroppedReply      // to a client's own address, which has no session
	DroppedClientRate // beyond what its client may have in a second
	DroppedStranger   // came to a forward's session from elsewhere than where that leads

	firstEvent        // what else is worth knowing
	AcceptPaused      // times that accepting paused for want of fds
	Fallbacks         // flows that took another outbound, since the server of theirs could not be reached
	OutboundsDown     // times that an outbound's server was found to be out of reach
	OutboundsUp       // times that it was back
	SniffedTLS        // names that were found in a first TLS record
	SniffedHTTP       // in a first HTTP request
	SniffedQUIC       // in QUIC Initials
	SniffedECH        // among those of TLS and QUIC: the outer names of hellos with ECH, or what looks like it (GREASE)
	SniffedNone       // times that none was found though a rule wanted one
	DialsNext         // times that a dial went on with the next address of a forward
	ICMPToClient      // errors about upstream datagrams that were passed on
	ICMPSuppressed    // those that were not: too many, or no way to send them
	WriteBackFallback // replies through a raw socket, the port being held by another service
	OutletFallback    // datagrams with the client's address through a raw socket, likewise
	SourceFallback    // of the gateway's source, since the client's may not be borne
	SourcePortOther   // of the client's address with another port, the client's own being taken

	numCounters
)

var counterNames = [numCounters]string{
	ConnsAccepted: "conns_accepted", ConnsClosed: "conns_closed",
	TCPBytesToUpstream: "tcp_bytes_to_upstream", TCPBytesToClient: "tcp_bytes_to_client",
	FlowsOpened: "udp_sessions_opened", FlowsClosed: "udp_sessions_closed",
	DatagramsToUpstream: "datagrams_to_upstream", DatagramsToClient: "datagrams_to_client",
	UDPBytesToUpstream: "udp_bytes_to_upstream", UDPBytesToClient: "udp_bytes_to_client",
	RefusedListener: "refused_to_listener", RefusedOwnAddress: "refused_to_own_address",
	RefusedOwnUpstream: "refused_own_upstream",
	RefusedUnspecified: "refused_to_unspecified", RefusedMulticast: "refused_to_multicast",
	RefusedBroadcast: "refused_to_broadcast", RefusedPortZero: "refused_port_zero",
	RefusedNoOriginalDest: "refused_no_original_dest", RefusedUnresolved: "refused_unresolved", RefusedMaxConns: "refused_max_conns",
	RefusedClientConns: "refused_client_conns", RefusedClientDials: "refused_client_dials",
	RefusedClientConnects: "refused_client_connects", RefusedClientSessions: "refused_client_sessions",
	RefusedScarce: "refused_scarce", RefusedPressure: "refused_memory_pressure",
	RefusedEnding:         "refused_ending",
	RefusedSource:         "refused_source",
	RefusedBlocked:        "refused_blocked",
	RefusedProxyAbsent:    "refused_proxy_absent",
	RefusedProxyMalformed: "refused_proxy_malformed",
	RefusedProxyLate:      "refused_proxy_late",
	FailedUpstreamRefused: "upstream_refused", FailedUpstreamUnreachable: "upstream_unreachable",
	FailedUpstreamTimeout: "upstream_timeout", FailedUpstreamOther: "upstream_failed",
	FailedNoResource: "no_resource", FailedSource: "failed_source", FailedProxy: "failed_proxy", FailedProxyAuth: "failed_proxy_auth", FailedRelay: "relay_failed", AcceptPaused: "accept_paused",
	TimedOutIdle: "timed_out_idle", TimedOutHalfClosed: "timed_out_half_closed",
	Fallbacks: "fallbacks", OutboundsDown: "outbounds_down", OutboundsUp: "outbounds_up",
	SniffedTLS: "sniffed_tls", SniffedHTTP: "sniffed_http", SniffedQUIC: "sniffed_quic", SniffedECH: "sniffed_ech", SniffedNone: "sniffed_none",
	TimedOutPeer: "timed_out_peer", DialsNext: "dials_next_address", DialsReplaced: "dials_replaced", ClientsGone: "client_gave_up",
	GaveWayDial: "gave_way_dialing", GaveWayIdle: "gave_way_idle", GaveWayStall: "gave_way_stalled",
	ConnsFinished: "conns_finished", ConnsResetByClient: "conns_reset_by_client", ConnsResetByUpstream: "conns_reset_by_upstream",
	ConnsKilled: "conns_ended_by_operator", ConnsCut: "conns_cut_at_stop",
	FlowsIdle: "udp_sessions_idle", FlowsKilled: "udp_sessions_ended_by_operator", FlowsCut: "udp_sessions_cut_at_stop", FlowsMoved: "udp_sessions_moved",
	DroppedTruncated: "dropped_truncated", DroppedNoDest: "dropped_no_dest",
	DroppedSend: "dropped_send", DroppedNoSession: "dropped_no_session", DroppedFlood: "dropped_flood", DroppedWaiting: "dropped_waiting", DroppedEcho: "dropped_echo",
	DroppedWriteBack: "dropped_write_back", DroppedReply: "dropped_reply", DroppedStranger: "dropped_stranger", DroppedClientRate: "dropped_client_rate",
	FlowsEvicted:  "udp_sessions_evicted",
	FlowsReplaced: "udp_sessions_replaced",
	ICMPToClient:  "icmp_to_client", ICMPSuppressed: "icmp_suppressed",
	WriteBackFallback: "write_back_fallback", OutletFallback: "outlet_fallback",
	SourceFallback: "source_fallback", SourcePortOther: "source_port_other",
}

// String is the counter's name in logs; empty for what is not a counter.
func (c Counter) String() string { return counterNames[c] }

// Kind sorts counters.
type Kind uint8

// What a counter counts.
const (
	Traffic Kind = iota // what was carried
	Refusal
	Failure
	End
	Drop
	Event
)

var kindNames = [...]string{Traffic: "traffic", Refusal: "refused", Failure: "failed", End: "ended", Drop: "dropped", Event: "event"}

func (k Kind) String() string { return kindNames[k] }

// Kind is that of the counter.
func (c Counter) Kind() Kind {
	switch {
	case c < firstRefusal:
		return Traffic
	case c < firstFailure:
		return Refusal
	case c < firstEnd:
		return Failure
	case c < firstDrop:
		return End
	case c < firstEvent:
		return Drop
	}
	return Event
}

// All are the counters, in their order.
func All() (all []Counter) {
	for c, name := range counterNames {
		if name != "" {
			all = append(all, Counter(c))
		}
	}
	return all
}

// Counters belongs to one worker, which alone adds; any goroutine may read.
type Counters struct {
	_     [64]byte // lines of its own, away from other workers'
	v     [numCounters]atomic.Uint64
	times [NumTimes]histogram
	_     [64]byte
}

// Add counts n more of what.
func (c *Counters) Add(what Counter, n uint64) { c.v[what].Add(n) }

// Stats is a sum of all workers' counters at one time.
type Stats [numCounters]uint64

// Collect adds what a worker has counted so far.
func (s *Stats) Collect(c *Counters) {
	for i := range c.v {
		s[i] += c.v[i].Load()
	}
}

// Add adds a part of the sum.
func (s *Stats) Add(part *Stats) {
	for i, n := range part {
		s[i] += n
	}
}

// ConnsNow is the number of TCP connections at the time.
func (s *Stats) ConnsNow() uint64 { return s[ConnsAccepted] - s[ConnsClosed] }

// FlowsNow is the number of UDP sessions at the time.
func (s *Stats) FlowsNow() uint64 { return s[FlowsOpened] - s[FlowsClosed] }

// MarshalZerologObject logs what is not zero.
func (s Stats) MarshalZerologObject(e *zerolog.Event) {
	for c, n := range s {
		if name := counterNames[c]; name != "" && n > 0 {
			e.Uint64(name, n)
		}
	}
}
