package frame

import (
	"errors"
	"fmt"
	"io"
)

// Reader takes frames from a stream. It reads as much as is there and as the
// buffer holds, so that many small frames cost one read.
type Reader struct {
	src        io.Reader
	buf        []byte
	start, end int // what was read and not yet taken
}

// NewReader reads from src into a buffer of the given size, which grows to hold
// one frame where it must.
func NewReader(src io.Reader, size int) *Reader {
	return &Reader{src: src, buf: make([]byte, max(size, HeaderSize))}
}

// Next returns the next frame: its header and its bytes, valid until the next
// call. At the end of the stream it returns io.EOF, inside of a frame
// io.ErrUnexpectedEOF. ErrChecksum leaves the stream readable; ErrMagic and
// ErrSize do not, since nobody knows where the next frame begins.
func (r *Reader) Next() (Header, []byte, error) {
	if err := r.need(HeaderSize); err != nil {
		return Header{}, nil, err
	}
	h, err := ParseHeader(r.buf[r.start:r.end])
	if err != nil {
		return h, nil, err
	}
	if h.Size < HeaderSize || h.Size > MaxStreamFrame {
		return h, nil, fmt.Errorf("%w: %d bytes", ErrSize, h.Size)
	}
	if err := r.need(int(h.Size)); err != nil {
		return h, nil, err
	}
	b := r.buf[r.start : r.start+int(h.Size)]
	r.start += int(h.Size)
	h, err = Parse(b)
	return h, b, err
}

// MaxStreamFrame bounds the frames of a stream, in bytes.
const MaxStreamFrame = 16 << 20

// need reads until n bytes can be taken.
func (r *Reader) need(n int) error {
	if r.end-r.start >= n {
		return nil
	}
	if r.start+n > len(r.buf) {
		dst := r.buf
		if n > len(dst) {
			dst = make([]byte, n)
		}
		r.end = copy(dst, r.buf[r.start:r.end])
		r.buf, r.start = dst, 0
	}
	got, err := io.ReadAtLeast(r.src, r.buf[r.end:], n-(r.end-r.start))
	r.end += got
	if errors.Is(err, io.EOF) && r.end > r.start {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Peek returns what is buffered after at least n bytes are, or fewer at the end
// of the stream. n is no more than HeaderSize.
func (r *Reader) Peek(n int) []byte {
	_ = r.need(n) // what is there is returned; Next meets the error again
	return r.buf[r.start:r.end]
}

// Buffered returns what was read and not yet taken.
func (r *Reader) Buffered() []byte { return r.buf[r.start:r.end] }

// Grow makes the buffer at least size bytes.
func (r *Reader) Grow(size int) {
	if size > len(r.buf) {
		dst := make([]byte, size)
		r.end = copy(dst, r.Buffered())
		r.buf, r.start = dst, 0
	}
}

// Reset reads from another stream, into the same buffer.
func (r *Reader) Reset(src io.Reader) { r.src, r.start, r.end = src, 0, 0 }
