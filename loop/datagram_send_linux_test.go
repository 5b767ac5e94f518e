package loop

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeKernel takes what a SendBatch sends, as the kernel would.
type fakeKernel struct {
	perCall int                                                         // messages that one call takes; 0: all
	refuse  func(datagrams []string, dest netip.AddrPort) syscall.Errno // nil: nothing
	calls   int
	got     []string // "dest payload" of each datagram
}

func (k *fakeKernel) transmit(_ int, headers []mmsghdr) (int, syscall.Errno) {
	k.calls++
	for i := range headers {
		if k.perCall > 0 && i == k.perCall {
			return i, 0
		}
		dest, datagrams := readHeader(&headers[i].header)
		if k.refuse != nil {
			if errno := k.refuse(datagrams, dest); errno != 0 {
				if i > 0 {
					return i, 0
				}
				return 0, errno
			}
		}
		for _, d := range datagrams {
			k.got = append(k.got, fmt.Sprintf("%s %s", dest, d))
		}
	}
	return len(headers), 0
}

// readHeader takes a message apart.
func readHeader(h *unix.Msghdr) (dest netip.AddrPort, datagrams []string) {
	dest, _, _ = ParseSockaddr(sliceOf(h.Name, int(h.Namelen)))
	var all []byte
	for _, iov := range iovsOf(h) {
		all = append(all, bytesOf(iov)...)
	}
	segment := max(1, len(all))
	if h.Controllen > 0 {
		messages, _ := unix.ParseSocketControlMessage(sliceOf(h.Control, int(h.Controllen)))
		for _, m := range messages {
			if m.Header.Level == unix.SOL_UDP {
				segment = int(binary.NativeEndian.Uint16(m.Data))
			}
		}
	}
	if len(all) == 0 {
		return dest, []string{""}
	}
	for part := range slices.Chunk(all, segment) {
		datagrams = append(datagrams, string(part))
	}
	return dest, datagrams
}

func newTestBatch(n int, k *fakeKernel) *SendBatch {
	b := NewSendBatch(n)
	b.transmit = k.transmit
	return b
}

func letter(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1)
}

// push sends one datagram through b, and the batch before it when that is full.
func push(b *SendBatch, dest netip.AddrPort, payload []byte, segment int, g *GSO, total *SendResult) {
	e := Envelope{Dest: dest}
	rest, whole := b.Push(&e, payload, segment, g)
	for !whole {
		total.merge(b.Send(0, g))
		rest, whole = b.Push(&e, rest, segment, g)
	}
}

func (r *SendResult) merge(o SendResult) {
	if r.Dropped == 0 {
		r.Errno, r.Failed = o.Errno, o.Failed
	}
	r.Datagrams += o.Datagrams
	r.Bytes += o.Bytes
	r.Dropped += o.Dropped
}

// TestSendKeepsAll pushes random datagrams, some merged, and compares what the
// kernel gets with what went in, for kernels of all tempers.
func TestSendKeepsAll(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		k := &fakeKernel{perCall: r.IntN(4)}
		limit := 1 << 20
		if seed%3 == 0 {
			limit = 50
			k.refuse = func(datagrams []string, _ netip.AddrPort) syscall.Errno {
				if len(datagrams) > 1 && len(datagrams[0]) > limit {
					return unix.EINVAL
				}
				return 0
			}
		}
		b := newTestBatch(1+r.IntN(20), k)
		var g GSO
		var total SendResult
		var want []string
		size := 0
		for range 200 {
			dest, segment, count := letter(r.IntN(3)), r.IntN(4)*33, 1
			if r.IntN(4) == 0 && segment > 0 {
				count = 1 + r.IntN(100)
			}
			payload := bytes.Repeat([]byte{byte('a' + r.IntN(26))}, segment*count)
			if count > 1 {
				payload = payload[:len(payload)-r.IntN(segment)]
			}
			push(b, dest, payload, min(segment, len(payload)), &g, &total)
			size += len(payload)
			if len(payload) == 0 {
				want = append(want, dest.String()+" ")
			}
			for part := range slices.Chunk(payload, max(1, segment)) {
				want = append(want, dest.String()+" "+string(part))
			}
		}
		total.merge(b.Send(0, &g))
		if !slices.Equal(k.got, want) {
			t.Fatalf("seed %d: %d datagrams arrived, want %d, or in another order", seed, len(k.got), len(want))
		}
		if total.Datagrams != len(want) || total.Bytes != size || total.Dropped != 0 {
			t.Fatalf("seed %d: counted %+v, want %d datagrams of %d bytes", seed, total, len(want), size)
		}
		if seed%3 == 0 && g.allows(limit+33) || !g.allows(limit) {
			t.Fatalf("seed %d: learnt that %d is refused", seed, g.refused.Load())
		}
	}
}

func TestSendLeavesOutWhatFails(t *testing.T) {
	k := &fakeKernel{refuse: func(_ []string, dest netip.AddrPort) syscall.Errno {
		if dest == letter(2) {
			return unix.EHOSTUNREACH
		}
		return 0
	}}
	b := newTestBatch(8, k)
	var g GSO
	var total SendResult
	for _, d := range []int{1, 2, 2, 3, 2, 4} {
		push(b, letter(d), []byte("x"), 1, &g, &total)
	}
	total.merge(b.Send(0, &g))
	if want := []string{"10.0.0.1:1 x", "10.0.0.3:1 x", "10.0.0.4:1 x"}; !slices.Equal(k.got, want) {
		t.Errorf("arrived: %q", k.got)
	}
	if total.Datagrams != 3 || total.Dropped != 3 || total.Errno != unix.EHOSTUNREACH || total.Failed.Dest != letter(2) {
		t.Errorf("counted %+v", total)
	}
	if b.Len() != 0 {
		t.Errorf("%d messages remain", b.Len())
	}
}

func TestSendDropsTheRestWhenFull(t *testing.T) {
	k := &fakeKernel{refuse: func(_ []string, dest netip.AddrPort) syscall.Errno {
		if dest == letter(2) {
			return unix.EAGAIN
		}
		return 0
	}}
	b := newTestBatch(8, k)
	var g GSO
	var total SendResult
	for d := range 5 {
		push(b, letter(d), []byte("x"), 1, &g, &total)
	}
	total.merge(b.Send(0, &g))
	if total.Datagrams != 2 || total.Dropped != 3 || total.Errno != unix.EAGAIN || k.calls != 2 {
		t.Errorf("counted %+v in %d calls", total, k.calls)
	}
}

// TestSendBlamesTheDest has runs and their datagrams fail alike: the socket's
// runs are not at fault.
func TestSendBlamesTheDest(t *testing.T) {
	k := &fakeKernel{refuse: func([]string, netip.AddrPort) syscall.Errno { return unix.EINVAL }}
	b := newTestBatch(8, k)
	var g GSO
	var total SendResult
	for range 3 {
		push(b, letter(1), []byte("xx"), 2, &g, &total)
	}
	total.merge(b.Send(0, &g))
	if total.Dropped != 3 || !g.allows(1500) {
		t.Errorf("counted %+v, refused %d", total, g.refused.Load())
	}
}

func TestGSOForgets(t *testing.T) {
	var g GSO
	g.refuse(1400)
	g.refuse(1450)
	if g.allows(1400) || !g.allows(1399) {
		t.Errorf("refused %d", g.refused.Load())
	}
	if g.Forget(); !g.allows(9000) {
		t.Error("not forgotten")
	}
	g.Disable()
	if g.Forget(); g.allows(2) || g.allows(1) {
		t.Error("allowed again after Disable")
	}
}

func TestPrefixed(t *testing.T) {
	k := &fakeKernel{}
	b := newTestBatch(4, k)
	e := Envelope{Dest: letter(1)}
	n := 0
	for b.PushPrefixed(&e, []byte("head"), []byte("body")) {
		n++
	}
	var g GSO
	if r := b.Send(0, &g); n < 2 || r.Datagrams != n || r.Bytes != 4*n || k.got[0] != "10.0.0.1:1 headbody" {
		t.Errorf("%d pushed: %+v, %q", n, r, k.got)
	}
}
