package serve

import (
	"net/netip"
	"time"

	"sluice/bench/dgram"
	"sluice/bench/frame"
	"sluice/bench/volley"
)

const (
	// udpBatch is how many messages one call receives.
	udpBatch = 32
	// udpRoom is the room for each message: the greatest run, in bytes.
	udpRoom = 1 << 16
	// sourceTick is how often a source sends what has come due.
	sourceTick = time.Millisecond
	// sourceRate bounds a source, in datagrams a second, whatever its client asks for.
	sourceRate = 10_000_000
)

// udpWorker is one socket and its goroutine.
type udpWorker struct {
	*Server
	sock dgram.Socket
	tx   *dgram.Sender
}

// serveUDP serves one socket until the server closes. A datagram that cannot be
// answered costs that datagram.
func (s *Server) serveUDP(sock dgram.Socket) {
	w := &udpWorker{Server: s, sock: sock, tx: dgram.NewSender(udpBatch)}
	rx := dgram.NewReceiver(udpBatch, udpRoom)
	for !s.closed.Load() {
		n, err := rx.Receive(sock)
		if err != nil {
			continue // an ICMP error of an earlier reply; taken by being returned
		}
		for i := range n {
			if m := rx.Message(i); !m.Truncated {
				w.take(m)
			}
		}
		w.flush()
	}
}

// take does what a message asks for. A run has one sender and one flow; all of it
// is echoed if its first datagram is to be.
func (w *udpWorker) take(m dgram.Message) {
	first := m.Data
	if m.Segment > 0 && m.Segment < len(first) {
		first = first[:m.Segment]
	}
	if h, err := frame.ParseHeader(first); err != nil || h.Kind == frame.Echo {
		w.reply(m.Data, m.Segment, m)
		return
	}
	for data := m.Data; len(data) > 0; data = data[len(first):] {
		if first = data; m.Segment > 0 && m.Segment < len(data) {
			first = data[:m.Segment]
		}
		w.takeFrame(first, m)
	}
}

func (w *udpWorker) takeFrame(b []byte, m dgram.Message) {
	h, err := frame.Parse(b)
	switch {
	case err != nil: // in a run that began with a frame, also what is none any more
		w.ledger.corrupt(h, m.From)
	case h.Kind == frame.Sink:
		w.ledger.arrive(h, len(b), m.From)
	case h.Kind == frame.Report:
		w.reply(w.ledger.report(h.Flow), 0, m)
	case h.Kind == frame.Source:
		spec, err := frame.ParseSource(b[frame.HeaderSize:])
		if err == nil && spec.Rate > 0 && w.ledger.begin(h.Flow) {
			w.running.Go(func() { w.source(h.Flow, spec, m.From, m.To) })
		}
	}
}

// reply queues data to the sender of m, from the address that m went to.
func (w *udpWorker) reply(data []byte, segment int, m dgram.Message) {
	if w.tx.Full() {
		w.flush()
	}
	w.tx.Add(data, segment, m.From, m.To)
}

// flush sends what is queued; a socket that has no room drops the rest, as a
// network would.
func (w *udpWorker) flush() { _, _ = w.tx.Send(w.sock) }

// source sends Data to one client at a rate until its time is over. Its frames go
// out of the worker's socket, which any goroutine may send on.
func (w *udpWorker) source(flow uint64, spec frame.SourceSpec, to netip.AddrPort, from netip.Addr) {
	rate := float64(min(spec.Rate, sourceRate))
	v := volley.New(dgram.MaxSegments, int(spec.Size), !spec.Single)
	tick := time.NewTicker(sourceTick)
	defer tick.Stop()
	head := frame.Header{Kind: frame.Data, Flow: flow}
	total := uint64(rate * min(spec.Duration, sourceLimit).Seconds())
	for start := time.Now(); head.Seq < total && !w.closed.Load(); <-tick.C {
		due := min(total, uint64(time.Since(start).Seconds()*rate)+1)
		for head.Seq < due {
			head.Stamp = w.ledger.now()
			n, err := v.Send(w.sock, to, from, head, int(min(due-head.Seq, uint64(v.Len()))))
			w.ledger.sent(flow, n)
			head.Seq += uint64(n)
			if err != nil || n == 0 {
				break
			}
		}
	}
}
