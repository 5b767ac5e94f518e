package tcp

import (
	"math/rand/v2"
	"testing"

	"sluice/redir/count"
	"sluice/redir/record"
	"sluice/splice"
)

// TestPlacesAreOfOneConnEach lets conns come and go, and finds each by its ID for as
// long as it lives.
func TestPlacesAreOfOneConnEach(t *testing.T) {
	l, random := connList{worker: 3}, rand.New(rand.NewPCG(1, 2))
	live, gone := map[record.ID]*conn{}, map[record.ID]bool{}
	for range 5000 {
		if random.IntN(5) < 3 || len(live) == 0 {
			c := l.add()
			if live[c.id] != nil || gone[c.id] || c.id.Worker() != 3 {
				t.Fatalf("%s comes twice", c.id)
			}
			live[c.id] = c
			continue
		}
		for id, c := range live {
			l.remove(c)
			l.keep(c)
			delete(live, id)
			gone[id] = true
			break
		}
	}
	for id, c := range live {
		if l.of(id) != c {
			t.Errorf("%s is another's", id)
		}
	}
	for id := range gone {
		if l.of(id) != nil {
			t.Errorf("%s has ended, and is found", id)
		}
	}
	if len(l.places) != len(live)+len(l.free) {
		t.Errorf("%d places for %d conns, %d free", len(l.places), len(live), len(l.free))
	}
}

// TestRecords walks through the conns in slices, while others come and go.
func TestRecords(t *testing.T) {
	w := testWorker(t)
	feed := w.shared.feeds.Open(1, 64)
	stay, seen := map[record.ID]bool{}, map[record.ID]int{}
	var passing []*conn
	for i := range 20 {
		if c := w.addConn(t, 0, i%2 == 0); i%3 == 0 {
			passing = append(passing, c)
		} else {
			stay[c.id] = true
		}
	}
	records := make([]record.Record, 4)
	for from := 0; ; {
		n, next := w.Records(from, record.Full, records)
		for i := range records[:n] {
			seen[records[i].ID]++
		}
		if len(passing) > 0 {
			passing[0].abort(count.TimedOutIdle)
			passing = passing[1:]
			w.addConn(t, 0, true)
		}
		if from = next; from == 0 {
			break
		}
	}
	for id := range stay {
		if seen[id] != 1 {
			t.Errorf("%s is seen %d times", id, seen[id])
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s is seen %d times", id, n)
		}
	}
	for id := range stay {
		var r record.Record
		if !w.Record(id, &r) || r.ID != id || r.Cause != 0 || r.Inbound != "t" || r.State != record.Dialing && r.State != record.Relaying {
			t.Errorf("%s: %+v", id, r)
		}
		if !w.Kill(id) || w.Kill(id) || w.Record(id, &r) {
			t.Errorf("%s does not end once", id)
		}
	}
	causes := map[count.Counter]int{}
	ended := make([]record.Record, 64)
	for _, r := range ended[:feed.Read(ended)] {
		causes[r.Cause]++
		if r.State != record.Ended {
			t.Errorf("%s ended, and is %s", r.ID, r.State)
		}
	}
	if causes[count.ConnsKilled] != len(stay) || causes[count.TimedOutIdle] == 0 || len(causes) != 2 {
		t.Errorf("ends are told as %v", causes)
	}
}

// TestMovedIsCountedAtOnce compares the counters with what a conn has moved while it
// runs.
func TestMovedIsCountedAtOnce(t *testing.T) {
	w := testWorker(t)
	c := w.addConn(t, 0, true)
	c.preface(clientSide, make([]byte, 100))
	c.preface(upstreamSide, make([]byte, 70))
	c.relay.Notify(clientSide, splice.In)
	c.pump()
	var sum count.Stats
	sum.Collect(w.counters)
	if sum[count.TCPBytesToUpstream] != 100 || sum[count.TCPBytesToClient] != 70 {
		t.Errorf("%d and %d bytes", sum[count.TCPBytesToUpstream], sum[count.TCPBytesToClient])
	}
	var r record.Record
	c.record(record.Brief, &r)
	if r.Up.Bytes != 100 || r.Down.Bytes != 70 {
		t.Errorf("a record of %+v, %+v", r.Up, r.Down)
	}
	c.abort(count.ConnsCut)
	var after count.Stats
	after.Collect(w.counters)
	if after[count.TCPBytesToUpstream] != 100 {
		t.Errorf("counted again at the end: %d", after[count.TCPBytesToUpstream])
	}
}

// TestRecordsAllocateNothing, of which there may be a hundred thousand.
func TestRecordsAllocateNothing(t *testing.T) {
	w := testWorker(t)
	for range 8 {
		w.addConn(t, 0, true)
	}
	records := make([]record.Record, 8)
	if n := testing.AllocsPerRun(100, func() { w.Records(0, record.Brief, records) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecords(b *testing.B) {
	for _, c := range []struct {
		name   string
		detail record.Detail
	}{{"brief", record.Brief}, {"full", record.Full}} {
		b.Run(c.name, func(b *testing.B) {
			w := testWorker(b)
			for range 64 {
				w.addConn(b, 0, true)
			}
			records := make([]record.Record, 64)
			for b.Loop() {
				w.Records(0, c.detail, records)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/flow")
		})
	}
}
