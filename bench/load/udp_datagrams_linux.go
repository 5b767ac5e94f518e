package load

import (
	"errors"
	"net/netip"

	"sluice/bench/dgram"
	"sluice/bench/frame"
)

// settle adds up what the flows know.
func (w *udpWorker) settle() {
	for _, f := range w.flows {
		w.settleFlow(f)
	}
}

func (w *udpWorker) settleFlow(f *udpFlow) {
	w.faults.Duplicate += f.track.Duplicate
	w.faults.Reordered += f.track.Reordered
	sent, got := f.next, f.track.Unique
	if st := f.stats; st != nil && w.Direction == Down {
		sent = st.Frames
		w.sent += sent
	} else if st != nil {
		got = st.Frames
		w.units += got
		w.faults.Duplicate += st.Duplicate
		w.faults.Reordered += st.Reordered
		w.faults.Corrupt += st.Corrupt
		w.faults.Mixed += st.Mixed
		w.jitter += st.Jitter
		w.jitterOf++
	} else if w.oneWay() {
		w.faults.fail(errNoReport)
	}
	if w.oneWay() && w.Direction == Down {
		w.jitter += f.jit.Value()
		w.jitterOf++
	}
	w.faults.Lost += sent - min(sent, got)
}

var errNoReport = errors.New("the server reported nothing of a flow")

// send sends up to n datagrams of a flow with one stamp; it returns how many went.
func (w *udpWorker) send(f *udpFlow, stamp int64, n int) int {
	total := 0
	for total < n {
		h := w.head
		h.Flow, h.Seq, h.Stamp = f.flow, f.next, stamp
		sent, err := w.tx.Send(f.sock, w.Target, netip.Addr{}, h, n-total)
		f.next += uint64(sent)
		total += sent
		if err != nil {
			w.faults.fail(err)
			w.progress.Faults.Add(1)
		}
		if err != nil || sent == 0 {
			break
		}
	}
	w.sent += uint64(total)
	w.bytesOut += uint64(total * w.Size)
	return total
}

// receive takes all that a flow's socket holds, and returns how many datagrams
// answered the flow for the first time.
func (w *udpWorker) receive(f *udpFlow) (fresh int) {
	for {
		n, err := w.rx.Receive(f.sock)
		if err != nil {
			w.faults.fail(err)
			return fresh
		}
		now := w.now()
		for i := range n {
			fresh += w.take(f, w.rx.Message(i), now)
		}
		if n < udpBatch {
			break
		}
	}
	if fresh > 0 {
		f.heard = w.now()
		w.progress.Units.Add(uint64(fresh))
	}
	return fresh
}

// take sorts the datagrams of one message.
func (w *udpWorker) take(f *udpFlow, m dgram.Message, now int64) (fresh int) {
	for data, first := m.Data, true; first || len(data) > 0; first = false {
		one := data
		if m.Segment > 0 {
			one = data[:min(m.Segment, len(data))]
		}
		data = data[len(one):]
		w.bytesIn += uint64(len(one))
		h, err := frame.Parse(one)
		switch {
		case m.From != w.Target:
			w.faults.WrongSource++
		case err != nil || m.Truncated:
			w.faults.Corrupt++
		case h.Flow != f.flow:
			w.faults.Mixed++
		case h.Kind == frame.Report:
			if st, err := frame.ParseStats(one[frame.HeaderSize:]); err == nil {
				f.stats = &st
			}
			continue
		case h.Kind == frame.Echo && h.Seq >= f.next:
			w.faults.Mixed++ // never sent
		case f.track.Arrive(h.Seq):
			w.arrived(f, h, now)
			fresh++
			continue
		default:
			continue // a duplicate; the tracker counted it
		}
		w.progress.Faults.Add(1)
	}
	return fresh
}

// arrived notes a datagram that is all that it should be.
func (w *udpWorker) arrived(f *udpFlow, h frame.Header, now int64) {
	w.units++
	if h.Kind == frame.Data {
		f.jit.Arrive(h.Stamp, now)
		return
	}
	w.latency.record(now - h.Stamp)
}
