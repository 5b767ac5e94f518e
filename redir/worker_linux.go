package redir

import (
	"sync/atomic"
	"time"

	"sluice/loop"
	"sluice/nat"
	"sluice/splice"
)

// settings is what may change while running. A worker's copy is replaced
// whole, on its reactor's thread.
type settings struct {
	connectTimeout   time.Duration
	idleTimeout      time.Duration
	halfCloseTimeout time.Duration
	mark             uint32 // SO_MARK of upstream sockets, 0 for none
}

func (o *Options) settings() *settings {
	return &settings{
		connectTimeout:   o.ConnectTimeout,
		idleTimeout:      o.IdleTimeout,
		halfCloseTimeout: o.HalfCloseTimeout,
		mark:             o.Mark,
	}
}

// shared is what all workers see.
type shared struct {
	admission admission
	flows     *nat.Table[*flow]
	conns     atomic.Int64 // TCP connections now
	maxConns  atomic.Int64
	batch     int
	// writeBacks bounds the write-back sockets of one worker.
	writeBacks int
}

// worker is one reactor and what only it touches.
type worker struct {
	*shared
	r        *loop.Reactor
	set      *settings
	log      causeLog
	counters counters

	workspace *splice.Workspace
	udp       *udpRelay
	listeners []*tcpListener
	conns     connList

	beat     loop.Timer
	lastBeat atomic.Int64 // ns of Reactor.Now
}
