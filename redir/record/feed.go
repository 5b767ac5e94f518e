package record

import (
	"context"
	"sync"
	"sync/atomic"
)

// Feeds are those that the ends of flows are told to. The zero value has none.
type Feeds struct {
	changing sync.Mutex
	all      atomic.Pointer[[]*Feed]
}

// Wanted reports whether anybody reads, so that a record is worth its making.
func (s *Feeds) Wanted() bool {
	all := s.all.Load()
	return all != nil && len(*all) > 0
}

// Put hands a record to all feeds. Each worker calls it from one goroutine at a time.
func (s *Feeds) Put(worker int, r *Record) {
	if all := s.all.Load(); all != nil {
		for _, f := range *all {
			f.put(worker, r)
		}
	}
}

// Open adds a feed for so many workers, which keeps up to size records of each,
// rounded up to a power of two, until they are read.
func (s *Feeds) Open(workers, size int) *Feed {
	rounded := 1
	for rounded < size {
		rounded *= 2
	}
	f := &Feed{feeds: s, rings: make([]ring, workers), wake: make(chan struct{}, 1)}
	for i := range f.rings {
		f.rings[i].records = make([]Record, rounded)
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	s.swap(func(all []*Feed) []*Feed { return append(all, f) })
	return f
}

func (s *Feeds) swap(change func([]*Feed) []*Feed) {
	var all []*Feed
	if now := s.all.Load(); now != nil {
		all = append(all, *now...)
	}
	all = change(all)
	s.all.Store(&all)
}

// Feed carries the records of flows that end to one reader.
type Feed struct {
	feeds *Feeds
	rings []ring // by worker
	wake  chan struct{}
}

// ring is a queue with one writer and one reader.
type ring struct {
	_       [64]byte // lines of its own
	written atomic.Uint64
	lost    atomic.Uint64
	_       [64]byte
	read    atomic.Uint64
	records []Record
}

func (f *Feed) put(worker int, r *Record) {
	ring := &f.rings[worker]
	at := ring.written.Load()
	if at-ring.read.Load() == uint64(len(ring.records)) {
		ring.lost.Add(1)
		return
	}
	ring.records[at&uint64(len(ring.records)-1)] = *r
	ring.written.Store(at + 1)
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Wait returns once there may be something to read, or ctx is done. A reader that
// lets some time pass between two waits is woken less often.
func (f *Feed) Wait(ctx context.Context) error {
	select {
	case <-f.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Read moves what there is into records, and returns how many.
func (f *Feed) Read(records []Record) (n int) {
	for i := range f.rings {
		ring := &f.rings[i]
		at := ring.read.Load()
		for end := ring.written.Load(); at < end && n < len(records); at++ {
			place := &ring.records[at&uint64(len(ring.records)-1)]
			records[n] = *place
			*place = Record{} // it holds texts
			n++
		}
		ring.read.Store(at)
	}
	return n
}

// Lost is how many records found no room.
func (f *Feed) Lost() (n uint64) {
	for i := range f.rings {
		n += f.rings[i].lost.Load()
	}
	return n
}

// Close ends the feed; what is in it can be read yet.
func (f *Feed) Close() {
	f.feeds.changing.Lock()
	defer f.feeds.changing.Unlock()
	f.feeds.swap(func(all []*Feed) []*Feed {
		kept := all[:0]
		for _, other := range all {
			if other != f {
				kept = append(kept, other)
			}
		}
		return kept
	})
}
