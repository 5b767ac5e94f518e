package frame

import (
	"encoding/binary"
	"errors"
	"time"
)

// errBody is a body too short for what its kind says it holds.
var errBody = errors.New("frame with a short body")

// Stats is the body of a Report: what one end counted of one flow.
type Stats struct {
	Frames    uint64 // sent by a source, or received once each by a sink
	Bytes     uint64 // of those frames
	Duplicate uint64
	Reordered uint64
	Corrupt   uint64
	Mixed     uint64
	Jitter    time.Duration
}

// StatsSize is the size of a Report frame in bytes.
const StatsSize = HeaderSize + 7*8

// Append adds the body to b.
func (s Stats) Append(b []byte) []byte {
	for _, v := range []uint64{s.Frames, s.Bytes, s.Duplicate, s.Reordered, s.Corrupt, s.Mixed, uint64(s.Jitter)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// ParseStats reads the body of a Report.
func ParseStats(body []byte) (s Stats, err error) {
	if len(body) < StatsSize-HeaderSize {
		return s, errBody
	}
	var jitter uint64
	for i, v := range []*uint64{&s.Frames, &s.Bytes, &s.Duplicate, &s.Reordered, &s.Corrupt, &s.Mixed, &jitter} {
		*v = binary.LittleEndian.Uint64(body[8*i:])
	}
	s.Jitter = time.Duration(jitter)
	return s, nil
}

// SourceSpec is the body of a Source: what the client wants to be sent.
type SourceSpec struct {
	Size     uint32        // of each frame, in bytes
	Rate     uint64        // frames a second; 0: as many as go (TCP only)
	Duration time.Duration // after which the source ends by itself
	Single   bool          // UDP: datagram by datagram, no runs
}

// SourceSize is the size of a Source frame in bytes.
const SourceSize = HeaderSize + 3*8

// singleBit stands beside the size of a SourceSpec.
const singleBit = 1 << 32

// Append adds the body to b.
func (s SourceSpec) Append(b []byte) []byte {
	size := uint64(s.Size)
	if s.Single {
		size |= singleBit
	}
	b = binary.LittleEndian.AppendUint64(b, size)
	b = binary.LittleEndian.AppendUint64(b, s.Rate)
	return binary.LittleEndian.AppendUint64(b, uint64(s.Duration))
}

// ParseSource reads the body of a Source.
func ParseSource(body []byte) (s SourceSpec, err error) {
	if len(body) < SourceSize-HeaderSize {
		return s, errBody
	}
	s.Size = binary.LittleEndian.Uint32(body)
	s.Single = binary.LittleEndian.Uint64(body)&singleBit != 0
	s.Rate = binary.LittleEndian.Uint64(body[8:])
	s.Duration = time.Duration(binary.LittleEndian.Uint64(body[16:]))
	if s.Size < HeaderSize || s.Size > MaxSize {
		return s, ErrSize
	}
	return s, nil
}

// New makes a frame with a body of its own.
func New(h Header, body []byte) []byte {
	b := make([]byte, HeaderSize, HeaderSize+len(body))
	return SlotWithBody(append(b, body...)).Put(h)
}
