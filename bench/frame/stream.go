package frame

import "errors"

// StreamCheck counts what a stream of one flow brings: there every seq follows the
// one before. One goroutine owns it.
type StreamCheck struct {
	Stats
	Flow uint64 // that of the first frame, unless set before
	next uint64
	met  bool
}

// Arrive takes the result of Reader.Next. A seq that is missing shows as reordered.
func (c *StreamCheck) Arrive(h Header, err error) {
	switch {
	case errors.Is(err, ErrChecksum):
		c.Corrupt++
		c.next++
		return
	case err != nil:
		return
	}
	if !c.met && c.Flow == 0 {
		c.Flow = h.Flow
	}
	c.met = true
	switch {
	case h.Flow != c.Flow:
		c.Mixed++
		return
	case h.Seq != c.next:
		c.Reordered++
	}
	c.next = h.Seq + 1
	c.Frames++
	c.Bytes += uint64(h.Size)
}

// Block is a buffer of successive frames for a stream.
type Block struct {
	buf   []byte
	slots []Slot
}

// NewBlock makes a block of about total bytes, of frames of size bytes each; at
// least one.
func NewBlock(total, size int) *Block {
	n := max(1, total/size)
	b := &Block{buf: make([]byte, n*size), slots: make([]Slot, n)}
	for i := range b.slots {
		b.slots[i] = NewSlot(b.buf[i*size:(i+1)*size], uint64(i))
	}
	return b
}

// Put writes headers like h with the seqs from h.Seq on, and returns the bytes and
// the number of frames. They are valid until the next Put.
func (b *Block) Put(h Header) ([]byte, int) {
	for i := range b.slots {
		b.slots[i].Put(h)
		h.Seq++
	}
	return b.buf, len(b.slots)
}
