package flood

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/dgram"
)

const (
	// batchSize is how many packets leave by one system call.
	batchSize = 64
	// pause is how long the sender sleeps when nothing is due.
	pause = 500 * time.Microsecond
	// mostLate is how far the sender may fall behind its rate: what is due beyond
	// that is never sent, so that no pause is followed by a burst.
	mostLate = 20 * time.Millisecond
)

// Run sends until Duration is over or ctx ends. It needs root.
func Run(ctx context.Context, spec Spec) (Result, error) {
	if err := spec.Check(); err != nil {
		return Result{}, fmt.Errorf("flood: %w", err)
	}
	if spec.Enter == nil {
		spec.Enter = func(fn func() error) error { return fn() }
	}
	var fd int
	err := spec.Enter(func() (err error) {
		fd, err = open(spec.Target.Addr())
		return err
	})
	if err != nil {
		return Result{}, fmt.Errorf("flood: %w", err)
	}
	defer unix.Close(fd)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := sender{spec: spec, socket: dgram.Socket{FD: fd}, batch: dgram.NewSender(batchSize)}
	return s.run(ctx)
}

// open opens a raw socket that takes packets with their IP header (raw(7)).
func open(like netip.Addr) (int, error) {
	family := unix.AF_INET6
	if like.Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4<<20) // less is only slower
	return fd, nil
}

// sender is a flood under way.
type sender struct {
	spec    Spec
	socket  dgram.Socket
	batch   *dgram.Sender
	packets [batchSize][]byte
	next    uint64 // packet
	due     float64
}

func (s *sender) run(ctx context.Context) (Result, error) {
	start := time.Now()
	last, most := start, s.spec.Rate*mostLate.Seconds()
	for ctx.Err() == nil {
		now := time.Now()
		if now.Sub(start) >= s.spec.Duration {
			break
		}
		s.due = min(s.due+now.Sub(last).Seconds()*s.spec.Rate, max(most, 1))
		last = now
		if s.due < 1 {
			time.Sleep(pause)
			continue
		}
		if err := s.send(min(int(s.due), batchSize)); err != nil {
			return Result{}, fmt.Errorf("flood: send: %w", err)
		}
	}
	return Result{Spec: s.spec, Packets: s.next, Seconds: time.Since(start).Seconds()}, nil
}

// send sends the next n packets. What the kernel has no room for is lost.
func (s *sender) send(n int) error {
	to := netip.AddrPortFrom(s.spec.Target.Addr(), 0)
	for i := range n {
		s.packets[i] = appendPacket(s.packets[i][:0], s.spec.Kind, s.spec.source(s.next+uint64(i)), s.spec.Target, s.spec.Size)
		s.batch.Add(s.packets[i], 0, to, netip.Addr{})
	}
	_, err := s.batch.Send(s.socket)
	s.next += uint64(n)
	s.due -= float64(n)
	return err
}
