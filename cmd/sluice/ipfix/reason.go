package ipfix

import "sluice/redir/count"

// Values of flowEndReason (iana.org/assignments/ipfix).
const (
	reasonIdle      = 1
	reasonEnded     = 3 // the end of the flow was seen
	reasonForced    = 4
	reasonResources = 5
)

// endReason sorts the causes of ends.
func endReason(cause count.Counter) byte {
	switch cause {
	case count.TimedOutIdle, count.TimedOutHalfClosed, count.TimedOutPeer, count.FlowsIdle:
		return reasonIdle
	case count.ConnsKilled, count.ConnsCut, count.FlowsKilled, count.FlowsCut, count.FlowsMoved, count.DialsReplaced, count.FlowsReplaced:
		return reasonForced
	case count.GaveWayDial, count.GaveWayIdle, count.GaveWayStall, count.FlowsEvicted, count.FailedNoResource,
		count.RefusedScarce, count.RefusedPressure:
		return reasonResources
	}
	return reasonEnded
}
