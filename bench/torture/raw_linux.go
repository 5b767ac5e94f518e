package torture

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// Flags of a TCP header (RFC 9293, 3.1).
const (
	flagSYN = 1 << 1
	flagRST = 1 << 2
)

// segments sends TCP segments without data from made-up sources at a rate, over IPv4,
// until ctx ends: those of unrouted addresses, which never answer.
type segments struct {
	to    netip.AddrPort
	flags byte
	rate  int // a second
}

func (f segments) send(ctx context.Context, client *lab.Namespace) error {
	return client.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW) // implies IP_HDRINCL (raw(7))
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		to := &unix.SockaddrInet4{Addr: f.to.Addr().As4()}
		begin := time.Now()
		for sent := 0; ctx.Err() == nil; sent++ {
			if ahead := time.Duration(sent)*time.Second/time.Duration(f.rate) - time.Since(begin); ahead > time.Millisecond {
				time.Sleep(ahead) // the pace itself
			}
			packet := f.packet(rand.Uint64(), rand.Uint32())
			if err := unix.Sendto(fd, packet[:], 0, to); err != nil && err != unix.ENOBUFS {
				return err
			}
		}
		return nil
	})
}

const (
	ipHeader  = 20
	tcpHeader = 20
)

// packet makes a packet of IPv4 and TCP headers, with 10.79.0.0/16 as its source. The
// kernel fills in the IP header's checksum (raw(7)).
func (f segments) packet(random uint64, seq uint32) (p [ipHeader + tcpHeader]byte) {
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_TCP // version and length, TTL, protocol
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	p[12], p[13], p[14], p[15] = 10, 79, byte(random), byte(random>>8)
	to := f.to.Addr().As4()
	copy(p[16:], to[:])
	tcp := p[ipHeader:]
	binary.BigEndian.PutUint16(tcp, uint16(random>>16)|1024)
	binary.BigEndian.PutUint16(tcp[2:], f.to.Port())
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[12], tcp[13] = tcpHeader/4<<4, f.flags
	binary.BigEndian.PutUint16(tcp[14:], 65535) // window
	binary.BigEndian.PutUint16(tcp[16:], tcpSum(p[12:20], tcp))
	return p
}

// tcpSum is TCP's checksum over the addresses and a segment whose sum is 0 (RFC 9293, 3.1).
func tcpSum(addresses, segment []byte) uint16 {
	sum := uint32(unix.IPPROTO_TCP) + uint32(len(segment))
	for _, b := range [][]byte{addresses, segment} {
		for ; len(b) >= 2; b = b[2:] {
			sum += uint32(binary.BigEndian.Uint16(b))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
