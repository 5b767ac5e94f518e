package nat

import "math"

const (
	arity    = 4  // children of a heap node: four items of 16 bytes are one cache line
	minItems = 64 // capacity below which a heap does not shrink

	never = math.MaxInt64 // the time of what has no time
)

// item is an entry and the heap's record of its last touch.
type item[V any] struct {
	at int64
	e  *Entry[V]
}

// queue is a min-heap by record of a shard's entries of one class that share
// their timeouts, so that the longest idle one is also the first one due. The
// shard's lock guards it.
type queue[V any] struct {
	timeouts Timeouts
	class    class
	timeout  int64 // ns; that of the class
	items    []item[V]
}

// oldest returns the lowest record, or never when the queue is empty.
func (q *queue[V]) oldest() int64 {
	if len(q.items) == 0 {
		return never
	}
	return q.items[0].at
}

// due returns when an entry that was last touched at a given time ends.
func (q *queue[V]) due(at int64) int64 {
	if at > never-q.timeout {
		return never
	}
	return at + q.timeout
}

// push adds an entry with the touch that it has now.
func (q *queue[V]) push(e *Entry[V]) {
	e.queue = q
	q.items = append(q.items, item[V]{})
	q.up(len(q.items)-1, item[V]{e.touched.Load(), e})
}

// remove takes an entry out.
func (q *queue[V]) remove(e *Entry[V]) {
	i, end := int(e.place), len(q.items)-1
	last := q.items[end]
	q.items[end] = item[V]{}
	q.items = q.items[:end]
	e.queue = nil
	if i < end {
		if i > 0 && last.at < q.items[(i-1)/arity].at {
			q.up(i, last)
		} else {
			q.down(i, last)
		}
	}
	if c := cap(q.items); c > minItems && end < c/4 {
		q.items = append(make([]item[V], 0, c/2), q.items...)
	}
}

// settle compares what the queue knows of its top with the entry itself, and
// reports whether it holds. Where it does not, the top sinks to its place.
func (q *queue[V]) settle() bool {
	top := q.items[0]
	at := top.e.touched.Load()
	if at != top.at {
		q.down(0, item[V]{at, top.e})
	}
	return at == top.at
}

// up puts it at i, or as far above as it belongs.
func (q *queue[V]) up(i int, it item[V]) {
	for i > 0 {
		parent := (i - 1) / arity
		if q.items[parent].at <= it.at {
			break
		}
		q.put(i, q.items[parent])
		i = parent
	}
	q.put(i, it)
}

// down puts it at i, or as far below as it belongs.
func (q *queue[V]) down(i int, it item[V]) {
	for {
		child := i*arity + 1
		if child >= len(q.items) {
			break
		}
		least := child
		for c := child + 1; c < min(child+arity, len(q.items)); c++ {
			if q.items[c].at < q.items[least].at {
				least = c
			}
		}
		if it.at <= q.items[least].at {
			break
		}
		q.put(i, q.items[least])
		i = least
	}
	q.put(i, it)
}

func (q *queue[V]) put(i int, it item[V]) {
	q.items[i] = it
	it.e.place = int32(i)
}
