package count

import "github.com/rs/zerolog"

// causeLevels has the causes whose lines are more than debug: what the operator of a
// gateway can mend is a warning; what few clients do, and what is good to know of
// them, is information. What thousands of clients and destinations do all day is
// neither: it is counted.
var causeLevels = [numCounters]zerolog.Level{
	// His rules, his machine.
	RefusedOwnUpstream: zerolog.WarnLevel, RefusedUnresolved: zerolog.WarnLevel,
	RefusedMaxConns: zerolog.WarnLevel, RefusedScarce: zerolog.WarnLevel, RefusedPressure: zerolog.WarnLevel,
	FailedNoResource: zerolog.WarnLevel, FailedSource: zerolog.WarnLevel, FailedRelay: zerolog.WarnLevel,
	AcceptPaused: zerolog.WarnLevel,
	GaveWayDial:  zerolog.WarnLevel, GaveWayIdle: zerolog.WarnLevel, GaveWayStall: zerolog.WarnLevel,
	DroppedFlood: zerolog.WarnLevel, DroppedWriteBack: zerolog.WarnLevel, FlowsEvicted: zerolog.WarnLevel,
	// His fronts, which are those that --accept-proxy names, and his proxies.
	RefusedProxyAbsent: zerolog.WarnLevel, RefusedProxyMalformed: zerolog.WarnLevel, RefusedProxyLate: zerolog.WarnLevel,
	FailedProxy: zerolog.WarnLevel, FailedProxyAuth: zerolog.WarnLevel,

	// A client that goes where diverted traffic does not, or has its share.
	RefusedListener: zerolog.InfoLevel, RefusedOwnAddress: zerolog.InfoLevel, RefusedNoOriginalDest: zerolog.InfoLevel,
	RefusedClientConns: zerolog.InfoLevel, RefusedClientDials: zerolog.InfoLevel, RefusedClientConnects: zerolog.InfoLevel,
	RefusedClientSessions: zerolog.InfoLevel, RefusedSource: zerolog.InfoLevel,
	DialsReplaced: zerolog.InfoLevel, FlowsReplaced: zerolog.InfoLevel,
	DroppedEcho: zerolog.InfoLevel, SourceFallback: zerolog.InfoLevel,
	WriteBackFallback: zerolog.InfoLevel, OutletFallback: zerolog.InfoLevel,
	OutboundsDown: zerolog.WarnLevel, OutboundsUp: zerolog.InfoLevel,
}

// Level is how lines about a cause are logged.
func (c Counter) Level() zerolog.Level { return causeLevels[c] }
