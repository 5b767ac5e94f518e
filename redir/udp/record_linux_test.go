package udp

import (
	"testing"
	"time"

	"sluice/redir/count"
	"sluice/redir/record"
)

// TestSessionRecords compares what is written down of sessions with what their clients
// and remotes have sent, while they run and when they have ended.
func TestSessionRecords(t *testing.T) {
	for _, family := range families {
		client, other := newPeer(t, family.client), newPeer(t, family.client)
		remote := newPeer(t, family.remote)
		s := newRelays(t, 2, 10, 8, time.Minute)
		feed := s.shared.feeds.Open(2, 8)
		var up, down record.Traffic
		for _, size := range []int{0, 1, 1200, 9000} {
			s.inject(0, client.addr, remote.addr, make([]byte, size), make([]byte, size))
			up.Bytes += 2 * uint64(size)
			up.Datagrams += 2
			_, port := remote.take()
			remote.take()
			remote.give(port, make([]byte, size))
			client.take()
			down.Bytes += uint64(size)
			down.Datagrams++
		}
		s.inject(1, other.addr, remote.addr, []byte("x"))
		_, source := remote.take()
		records := map[string]record.Record{}
		for _, session := range s.shared.Sessions() {
			var r record.Record
			s.on(session.Owner(), func() {
				if !s.workers[session.Owner()].Record(session, record.Full, &r) {
					t.Error("a session that goes on has no record")
				}
			})
			if r.ID != session.ID() || !r.ID.IsSession() || r.ID.Worker() != session.Owner() {
				t.Errorf("%s is %s", session.ID(), r.ID)
			}
			records[r.Client.String()] = r
		}
		r := records[client.addr.String()]
		if r.Up != up || r.Down != down || r.State != record.Relaying || r.Dest != remote.addr || r.Dialed != remote.addr || r.Active < r.Start {
			t.Errorf("%+v, want %+v up, %+v down", r, up, down)
		}
		if r := records[other.addr.String()]; r.State != record.Unanswered || r.Source != source {
			t.Errorf("%+v, want one unanswered from %s", r, source)
		}
		for _, session := range s.shared.Sessions() {
			s.on(session.Owner(), func() {
				w := s.workers[session.Owner()]
				if !w.Kill(session) || w.Kill(session) || w.Record(session, record.Full, &r) {
					t.Error("a session does not end once")
				}
			})
		}
		ended := make([]record.Record, 8)
		if n := feed.Read(ended); n != 2 {
			t.Fatalf("%d ends are told", n)
		}
		for _, r := range ended[:2] {
			was := records[r.Client.String()]
			if r.Cause != count.FlowsKilled || r.State != record.Ended || r.Source != was.Source || r.Up != was.Up || r.Down != was.Down {
				t.Errorf("%+v ended as %+v", was, r)
			}
		}
	}
}
