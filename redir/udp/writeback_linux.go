package udp

import (
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/socket"
)

// Write-back sockets are bound to these documentation addresses (RFC 5737, RFC
// 3849). Nobody sends to them, so the sockets never take a datagram from
// anyone, and each message names its own source.
var (
	documentation4 = netip.AddrFrom4([4]byte{192, 0, 2, 1})
	documentation6 = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1})
)

const (
	// writeBackIdle is how long a write-back socket is kept for the next reply.
	writeBackIdle = int64(time.Minute)
	// nearSize is how many write-back sockets are found by their port's low
	// bits, without a look into the map.
	nearSize = 64
)

// writeBack is the transparent socket that sends all replies of one family from
// one port. It belongs to one worker; the others have one each (SO_REUSEPORT).
type writeBack struct {
	fd         int
	key        backKey
	raw        bool // the port is another service's: replies leave as raw packets
	gso        loop.GSO
	head, tail int32 // slots that wait to be sent; none
	used       int64 // ns of Reactor.Now
	prev, next *writeBack
}

// backKey names a write-back socket in its worker.
type backKey struct {
	port   uint16
	v6     bool
	narrow bool // cuts what is longer than IPv6's least MTU
}

// from is the address that a reply with the given source bears.
func (b *writeBack) from(source netip.Addr) netip.AddrPort {
	return netip.AddrPortFrom(source, b.key.port)
}

// writeBacks are a worker's write-back sockets, at most Shared.writeBacks of them:
// the one that was used longest ago makes room for the next.
type writeBacks struct {
	worker *Worker
	all    map[backKey]*writeBack
	near   [nearSize]*writeBack // by port: the one asked for last
	ring   writeBack            // its next was used last, its prev longest ago
	sweep  loop.Timer
	raw    rawHeaders
}

func (w *writeBacks) init(r *Worker) {
	w.worker = r
	w.all = map[backKey]*writeBack{}
	w.ring.prev, w.ring.next = &w.ring, &w.ring
	w.raw = make(rawHeaders, r.shared.batch)
}

// get returns the socket for replies of a remote, by a narrow path or not, and
// opens it if there is none.
func (w *writeBacks) get(remote netip.AddrPort, narrow bool) (*writeBack, error) {
	key := backKey{remote.Port(), !remote.Addr().Is4(), narrow}
	near := &w.near[key.port%nearSize]
	if b := *near; b != nil && b.key == key {
		return b, nil
	}
	b := w.all[key]
	if b == nil {
		var err error
		if b, err = w.open(key); err != nil {
			return nil, err
		}
	}
	*near = b
	return b, nil
}

func (w *writeBacks) open(key backKey) (*writeBack, error) {
	for len(w.all) >= int(w.worker.shared.writeBacks.Load()) && w.giveUpOne() {
	}
	b := &writeBack{key: key, head: none}
	err := w.openSocket(b)
	if socket.OutOfFDs(err) && w.giveUpOne() {
		err = w.openSocket(b)
	}
	if err != nil {
		return nil, err
	}
	if w.worker.noRuns {
		b.gso.Disable()
	}
	w.all[key] = b
	w.link(b)
	w.use(b)
	if !w.sweep.Armed() {
		w.worker.r.Arm(&w.sweep, w, time.Duration(writeBackIdle))
	}
	return b, nil
}

// openSocket gives b its socket: bound to the port or, where another service
// holds that without SO_REUSEADDR (EADDRINUSE) or it is a privileged one
// (EACCES), a raw one.
func (w *writeBacks) openSocket(b *writeBack) (err error) {
	b.fd, err = openWriteBack(b.key, unix.SOCK_DGRAM, 0)
	if errno, ok := socket.ErrnoOf(err); ok && (errno == unix.EADDRINUSE || errno == unix.EACCES) {
		b.fd, err = openWriteBack(b.key, unix.SOCK_RAW, unix.IPPROTO_UDP)
		b.raw = err == nil
		w.worker.log.Warn(count.WriteBackFallback, w.worker.r.Now()).Uint16("port", b.key.port).Err(errno).
			Msg("replies from this port leave as raw packets, since another service holds it")
	}
	return err
}

func openWriteBack(key backKey, kind, protocol int) (int, error) {
	addr := netip.AddrPortFrom(documentation4, key.port)
	if key.v6 {
		addr = netip.AddrPortFrom(documentation6, key.port)
	}
	if kind == unix.SOCK_RAW {
		addr = netip.AddrPortFrom(addr.Addr(), 0)
	}
	fd, err := unix.Socket(socket.Family(addr.Addr()), kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = socket.SetOptions(fd, []socket.Option{
		{Name: "SO_REUSEADDR", Level: unix.SOL_SOCKET, Opt: unix.SO_REUSEADDR, Value: 1},
		{Name: "SO_REUSEPORT", Level: unix.SOL_SOCKET, Opt: unix.SO_REUSEPORT, Value: 1},
		{Name: "SO_RCVBUF", Level: unix.SOL_SOCKET, Opt: unix.SO_RCVBUF, Value: 0}, // the least; nothing is ever read
		socket.Transparent(addr.Addr()),
		fragments(key),
	})
	if err == nil {
		socket.SetSendBuffer(fd, bulkBuffer)
		err = socket.Bind(fd, addr)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// fragments is what lets replies be cut on their way: nothing tells a write-back
// socket of a path's MTU, since it has none of the addresses that an ICMP error
// names. IPv4's routers may cut what bears no DF (ip(7) IP_MTU_DISCOVER);
// IPv6's may not, so what goes by a narrow path is cut here (ipv6(7) IPV6_MTU).
func fragments(key backKey) socket.Option {
	switch {
	case !key.v6:
		return socket.Option{Name: "IP_MTU_DISCOVER", Level: unix.SOL_IP, Opt: unix.IP_MTU_DISCOVER, Value: unix.IP_PMTUDISC_DONT}
	case key.narrow:
		return socket.Option{Name: "IPV6_MTU", Level: unix.SOL_IPV6, Opt: unix.IPV6_MTU, Value: leastMTU}
	}
	return socket.Option{Name: "IPV6_MTU_DISCOVER", Level: unix.SOL_IPV6, Opt: unix.IPV6_MTU_DISCOVER, Value: unix.IPV6_PMTUDISC_WANT}
}

// leastMTU is what every IPv6 link carries, in bytes (RFC 8200 section 5).
const leastMTU = 1280

// use notes that b was used now.
func (w *writeBacks) use(b *writeBack) {
	b.used = w.worker.r.Now()
	if w.ring.next != b {
		b.unlink()
		w.link(b)
	}
}

func (w *writeBacks) link(b *writeBack) {
	b.prev, b.next = &w.ring, w.ring.next
	b.prev.next, b.next.prev = b, b
}

func (b *writeBack) unlink() { b.prev.next, b.next.prev = b.next, b.prev }

// giveUpOne closes the socket that was used longest ago, after what waits for
// it was sent, and reports whether there was one.
func (w *writeBacks) giveUpOne() bool {
	oldest := w.ring.prev
	if oldest == &w.ring {
		return false
	}
	w.close(oldest)
	return true
}

func (w *writeBacks) close(b *writeBack) {
	w.worker.flushBack(b)
	b.unlink()
	delete(w.all, b.key)
	if near := &w.near[b.key.port%nearSize]; *near == b {
		*near = nil
	}
	unix.Close(b.fd) // no reactor knows it
}

func (w *writeBacks) closeAll() {
	w.worker.r.Cancel(&w.sweep)
	for w.ring.prev != &w.ring {
		w.close(w.ring.prev)
	}
}

// Expired closes what has been idle, and lets the others try again what the
// kernel has refused them: clients and routes change.
func (w *writeBacks) Expired(now int64) {
	for b := w.ring.prev; b != &w.ring && now-b.used >= writeBackIdle; b = w.ring.prev {
		w.close(b)
	}
	for b := w.ring.next; b != &w.ring; b = b.next {
		b.gso.Forget()
	}
	if oldest := w.ring.prev; oldest != &w.ring {
		w.worker.r.Arm(&w.sweep, w, time.Duration(oldest.used+writeBackIdle-now))
	}
}
