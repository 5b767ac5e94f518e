package splice

import "math/bits"

// residue holds the part of a read that the destination had no room for. A direction has at most one.
type residue struct {
	data []byte // what is still to be written; a tail of buf
	buf  []byte
}

// residuePool keeps free residue buffers by size: class i holds minBufferSize<<i bytes, so that a stalled peer pins
// at most twice what it left unread.
type residuePool struct {
	largest   int // bytes; no residue is longer
	free      [bufferClasses][]*residue
	unused    [bufferClasses]int // fewest free per class since the last trim
	lent      int                // buffers out
	lentBytes int
}

func residueClass(n int) int { return max(0, bits.Len(uint(n-1))-bits.Len(uint(minBufferSize-1))) }

// hold copies data, 1 to largest bytes, into a buffer of its own.
func (p *residuePool) hold(data []byte) *residue {
	class := residueClass(len(data))
	var r *residue
	if free := p.free[class]; len(free) > 0 {
		r = free[len(free)-1]
		p.free[class] = free[:len(free)-1]
		p.unused[class] = min(p.unused[class], len(free)-1)
	} else {
		r = &residue{buf: make([]byte, min(minBufferSize<<class, p.largest))}
	}
	r.data = r.buf[:copy(r.buf, data)]
	p.lent++
	p.lentBytes += len(r.buf)
	return r
}

// release takes back what hold lent.
func (p *residuePool) release(r *residue) {
	r.data = nil
	p.lent--
	p.lentBytes -= len(r.buf)
	class := residueClass(len(r.buf))
	p.free[class] = append(p.free[class], r)
}

// trim leaves to the garbage collector what nobody needed since the last trim.
func (p *residuePool) trim() {
	for class, free := range p.free {
		keep := len(free) - p.unused[class]
		clear(free[keep:])
		p.free[class] = free[:keep]
		p.unused[class] = keep
	}
}
