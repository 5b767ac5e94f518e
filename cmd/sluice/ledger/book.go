package ledger

import (
	"context"
	"sync/atomic"
	"time"

	"sluice/redir/record"
)

const (
	// feedRecords is how many records of each worker may wait, of some 300 bytes: what
	// one that ends all it has at once ends in several gatherPeriods.
	feedRecords = 4096
	// gatherPeriod is how long records may wait for others to be written with.
	gatherPeriod = 5 * time.Millisecond
	// batchRecords bounds a batch.
	batchRecords = 256
)

// Source is what a book needs of redir.Server.
type Source interface {
	Ended(size int) *record.Feed
	Wall(ns int64) time.Time
}

// Writer writes records down. The goroutine of a book owns it.
type Writer interface {
	// Put adds a record to the batch. It may write, and wait.
	Put(r *record.Record)
	// Flush writes the batch.
	Flush()
	// Counts are how many records were written so far, and how many could not be, and
	// why the last could not. Any goroutine may ask.
	Counts() (written, lost uint64, why error)
	// Close gives back what it holds.
	Close() error
}

// Book brings the records of a feed to a writer.
type Book struct {
	feed   *record.Feed
	writer Writer
	cancel context.CancelFunc
	done   chan struct{}
	sample atomic.Uint64 // one in so many
}

// Keep begins a book of the flows that end from now on, of one in sample. It owns
// the writer from here on.
func Keep(source Source, writer Writer, sample int) *Book {
	ctx, cancel := context.WithCancel(context.Background())
	b := &Book{feed: source.Ended(feedRecords), writer: writer, cancel: cancel, done: make(chan struct{})}
	b.SetSample(sample)
	go b.run(ctx)
	return b
}

// SetSample changes of how many flows one is written down.
func (b *Book) SetSample(sample int) { b.sample.Store(uint64(max(sample, 1))) }

func (b *Book) run(ctx context.Context) {
	defer close(b.done)
	records := make([]record.Record, batchRecords)
	for b.feed.Wait(ctx) == nil {
		gather(ctx)
		b.write(records)
	}
	b.write(records)
}

func gather(ctx context.Context) {
	timer := time.NewTimer(gatherPeriod)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// write writes what there is.
func (b *Book) write(records []record.Record) {
	sample := b.sample.Load()
	for n := b.feed.Read(records); n > 0; n = b.feed.Read(records) {
		for i := range records[:n] {
			if sample == 1 || mix(uint64(records[i].ID))%sample == 0 {
				b.writer.Put(&records[i])
			}
		}
		clear(records[:n]) // they hold texts
	}
	b.writer.Flush()
}

// mix has every bit of an ID count in every bit of the result (the finalizer of
// splitmix64): IDs count up, by worker and place.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Counts are how many records were written down, and how many should have been and
// were not, and why the last; nil: they came faster than they could be written.
func (b *Book) Counts() (written, lost uint64, why error) {
	written, lost, why = b.writer.Counts()
	return written, lost + b.feed.Lost(), why
}

// Close writes what is there yet, and waits for that, for a while: when nothing ends
// any more, the book is whole.
func (b *Book) Close(patience time.Duration) error {
	b.feed.Close()
	b.cancel()
	select {
	case <-b.done:
		return b.writer.Close()
	case <-time.After(patience):
		return nil // the process ends, and with it the write that hangs
	}
}
