package loop

// againQueue holds the registrations that asked for another call, in the order
// in which they asked. Owned by one reactor.
type againQueue struct {
	tags []uint64 // a ring; its length is a power of two
	head int      // of the oldest
	n    int
}

const firstAgains = 16

func (q *againQueue) push(tag uint64) {
	if q.n == len(q.tags) {
		q.grow()
	}
	q.tags[(q.head+q.n)&(len(q.tags)-1)] = tag
	q.n++
}

// pop takes the oldest from a queue that is not empty.
func (q *againQueue) pop() (tag uint64) {
	tag = q.tags[q.head]
	q.head = (q.head + 1) & (len(q.tags) - 1)
	q.n--
	return tag
}

func (q *againQueue) grow() {
	wider := make([]uint64, max(firstAgains, 2*len(q.tags)))
	n := copy(wider, q.tags[q.head:])
	copy(wider[n:], q.tags[:q.head])
	q.tags, q.head = wider, 0
}
