package frame

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"sync"
)

// Header is a frame without its body. Size counts header and body, Reply the
// response that a Request asks for; both in bytes.
type Header struct {
	Size, Reply uint32
	Kind        Kind
	Flow, Seq   uint64
	Stamp       int64
}

// What can be wrong with the bytes of a frame.
var (
	ErrMagic    = errors.New("not a frame")
	ErrSize     = errors.New("frame of another size than it says")
	ErrChecksum = errors.New("frame with a wrong checksum")
)

// castagnoli is the table of CRC-32C, for which amd64 and arm64 have instructions.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// Slot is a frame buffer whose body stays and whose header is written anew for
// every frame. One goroutine at a time uses it.
type Slot struct {
	b    []byte
	body uint32 // checksum of the body alone
}

// NewSlot makes a slot of b, whose body it fills with bytes that differ from one
// variant to the next. len(b) is the frame's size, at least HeaderSize.
func NewSlot(b []byte, variant uint64) Slot {
	Fill(b[HeaderSize:], variant)
	return SlotWithBody(b)
}

// SlotWithBody makes a slot of b, whose body is in place.
func SlotWithBody(b []byte) Slot {
	return Slot{b: b, body: crc32.Checksum(b[HeaderSize:], castagnoli())}
}

// Put writes the header, with the slot's own size, and returns the frame. It is
// valid until the next Put.
func (s Slot) Put(h Header) []byte {
	b := s.b
	copy(b, Magic)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)))
	binary.LittleEndian.PutUint32(b[12:], h.Reply)
	binary.LittleEndian.PutUint32(b[16:], uint32(h.Kind))
	binary.LittleEndian.PutUint32(b[20:], 0)
	binary.LittleEndian.PutUint64(b[24:], h.Flow)
	binary.LittleEndian.PutUint64(b[32:], h.Seq)
	binary.LittleEndian.PutUint64(b[40:], uint64(h.Stamp))
	binary.LittleEndian.PutUint32(b[4:], crc32.Update(s.body, castagnoli(), b[8:HeaderSize]))
	return b
}

// Parse reads a frame that fills b. Beside ErrChecksum it returns the header as
// it stands, which may be wrong anywhere.
func Parse(b []byte) (Header, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return h, err
	}
	if int(h.Size) != len(b) {
		return h, ErrSize
	}
	sum := crc32.Update(crc32.Checksum(b[HeaderSize:], castagnoli()), castagnoli(), b[8:HeaderSize])
	if sum != binary.LittleEndian.Uint32(b[4:]) {
		return h, ErrChecksum
	}
	return h, nil
}

// ParseHeader reads the header at the front of b, unverified.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, ErrSize
	}
	if string(b[:4]) != Magic {
		return Header{}, ErrMagic
	}
	return Header{
		Size:  binary.LittleEndian.Uint32(b[8:]),
		Reply: binary.LittleEndian.Uint32(b[12:]),
		Kind:  Kind(b[16]),
		Flow:  binary.LittleEndian.Uint64(b[24:]),
		Seq:   binary.LittleEndian.Uint64(b[32:]),
		Stamp: int64(binary.LittleEndian.Uint64(b[40:])),
	}, nil
}

// Fill writes bytes that follow from seed and look random (splitmix64).
func Fill(b []byte, seed uint64) {
	var word [8]byte
	for len(b) > 0 {
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(word[:], z^z>>31)
		b = b[copy(b, word[:]):]
	}
}
