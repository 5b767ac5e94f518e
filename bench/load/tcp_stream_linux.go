package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"sluice/bench/frame"
)

// streamBuffer is what a stream is read and written with, in bytes.
const streamBuffer = 256 << 10

// stream is one connection of tcp-stream. The writer owns wrote until it has
// ended; the reader owns the rest.
type stream struct {
	*run
	tally
	conn  *net.TCPConn
	flow  uint64 // shadows run.flow: the number of this stream
	check frame.StreamCheck
	wrote frame.Stats
}

// tcpStream runs the streams. Each sends for the Duration, closes its half, and
// reads to the end, which counts as part of the time.
func (r *run) tcpStream(ctx context.Context) error {
	var running sync.WaitGroup
	for i := range r.Flows {
		running.Go(func() {
			s := &stream{run: r, flow: r.flow(i)}
			s.check.Flow = s.flow
			if err := s.carry(ctx, i); err != nil {
				s.faults.fail(err)
				r.progress.Faults.Add(1)
			}
			r.add(&s.tally)
		})
	}
	running.Wait()
	return nil
}

func (s *stream) carry(ctx context.Context, i int) (err error) {
	if s.conn, err = s.dial(ctx, i); err != nil {
		return err
	}
	defer s.conn.Close()
	defer context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Now()) })()
	ctx, giveUp := context.WithCancel(ctx) // ends the writer's wait
	defer giveUp()
	stop := time.Now().Add(s.Duration)
	written := make(chan error, 1)
	go func() { written <- s.write(ctx, stop) }()
	report, err := s.read()
	if err != nil {
		giveUp()
		_ = s.conn.SetDeadline(time.Now()) // lets the writer go
	}
	err = errors.Join(err, <-written)
	s.judge(report)
	return err
}

// write sends until stop, or asks to be sent to until then, and closes the half.
func (s *stream) write(ctx context.Context, stop time.Time) error {
	if s.Direction == Down {
		spec := frame.SourceSpec{Size: uint32(s.Size), Duration: s.Duration + s.Timeout}
		if _, err := s.conn.Write(frame.New(frame.Header{Kind: frame.Source, Flow: s.flow}, spec.Append(nil))); err != nil {
			return err
		}
		sleep(ctx, time.Until(stop))
		return s.conn.CloseWrite()
	}
	head := frame.Header{Kind: frame.Sink, Flow: s.flow}
	if s.Direction == Both {
		head.Kind = frame.Echo
	}
	block := frame.NewBlock(streamBuffer, s.Size)
	for time.Now().Before(stop) {
		b, n := block.Put(head)
		if _, err := s.conn.Write(b); err != nil {
			return err
		}
		head.Seq += uint64(n)
		s.wrote.Frames += uint64(n)
		s.wrote.Bytes += uint64(len(b))
		if s.Direction == Up {
			s.progress.Units.Add(uint64(len(b)))
		}
	}
	return s.conn.CloseWrite()
}

// read verifies what comes until the end of the stream, and returns the report that
// came last, where one must.
func (s *stream) read() (report *frame.Stats, err error) {
	r := frame.NewReader(s.conn, streamBuffer)
	for {
		h, b, err := r.Next()
		switch {
		case err == io.EOF:
			if report == nil && s.Direction != Both {
				return nil, fmt.Errorf("stream %d: the server closed without a report", s.flow&0xffffffff)
			}
			return report, nil
		case errors.Is(err, frame.ErrMagic) || errors.Is(err, frame.ErrSize):
			s.check.Corrupt++
			return nil, err
		case err != nil && !errors.Is(err, frame.ErrChecksum):
			return nil, err
		case err == nil && h.Kind == frame.Report && h.Flow == s.flow:
			st, err := frame.ParseStats(b[frame.HeaderSize:])
			if err != nil {
				return nil, err
			}
			report = &st
			continue
		}
		s.check.Arrive(h, err)
		s.progress.Units.Add(uint64(len(b)))
	}
}

// judge compares what was sent with what arrived at the other end.
func (s *stream) judge(report *frame.Stats) {
	sent, got := s.wrote, s.check.Stats
	switch {
	case s.Direction == Up && report != nil:
		got = *report
	case s.Direction == Down && report != nil:
		sent = *report
	}
	s.sent = sent.Bytes
	s.units = got.Bytes
	s.bytesOut, s.bytesIn = s.wrote.Bytes, s.check.Bytes
	s.faults.Corrupt += got.Corrupt
	s.faults.Mixed += got.Mixed
	s.faults.Short += sent.Bytes - min(sent.Bytes, got.Bytes)
	if got.Bytes > sent.Bytes {
		s.faults.Duplicate += got.Frames - min(got.Frames, sent.Frames)
	}
	if got.Reordered > 0 {
		s.faults.Reordered += got.Reordered
		s.faults.Short = max(s.faults.Short, got.Reordered*uint64(s.Size)) // a stream out of order is no stream
	}
}
