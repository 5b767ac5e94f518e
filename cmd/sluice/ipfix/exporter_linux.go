package ipfix

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/redir/record"
	"sluice/redir/resolve"
)

const (
	// templatePeriod is how long a collector that begins anew has to wait.
	templatePeriod = time.Minute
	// lookupPatience bounds one lookup of its name, and lookupPause is the least time
	// between two that fail.
	lookupPatience = 5 * time.Second
	lookupPause    = 30 * time.Second
)

// Exporter sends records to a collector (ledger.Writer). One goroutine owns it, but
// for LookAgain and Counts.
type Exporter struct {
	encoder Encoder
	conn    *net.UDPConn
	to      resolve.Target
	lookup  resolve.Lookup

	at         netip.AddrPort // not valid: not known yet
	tried      time.Time      // when the name was last looked up
	again      atomic.Bool    // it is to be looked up again
	taught     time.Time      // when the templates were last sent
	isTold     bool           // they were
	sent, lost atomic.Uint64
	why        atomic.Pointer[error]
}

// New returns an exporter whose packets have a mark (SO_MARK; 0: none). A name is
// looked up when there is something to send, and again from time to time until there
// is an answer.
func New(to resolve.Target, mark uint32, wall func(ns int64) time.Time, lookup resolve.Lookup) (*Exporter, error) {
	conn, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, fmt.Errorf("--ipfix %s: %w", to, err)
	}
	if mark != 0 {
		if err := setMark(conn, mark); err != nil {
			conn.Close()
			return nil, fmt.Errorf("--ipfix %s: %w", to, err)
		}
	}
	return &Exporter{
		encoder: Encoder{Domain: uint32(os.Getpid()), Wall: wall},
		conn:    conn, to: to, lookup: lookup, at: to.AddrPort(),
	}, nil
}

func setMark(conn syscall.Conn, mark uint32) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(mark)) }); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt SO_MARK", inner)
}

// Put adds a record to the message, and sends that first where there is no room.
func (e *Exporter) Put(r *record.Record) {
	if now := time.Now(); !e.isTold || now.Sub(e.taught) >= templatePeriod {
		e.Flush()
		e.encoder.Templates()
		e.isTold, e.taught = true, now
	}
	if !e.encoder.Append(r) {
		e.Flush()
		e.encoder.Append(r)
	}
}

// Flush sends the message.
func (e *Exporter) Flush() {
	now := time.Now()
	message, records := e.encoder.Take(now)
	if message == nil {
		return
	}
	if err := e.find(now); err != nil {
		e.fail(records, err)
		return
	}
	if _, err := e.conn.WriteToUDPAddrPort(message, e.at); err != nil {
		e.fail(records, err)
		return
	}
	e.sent.Add(uint64(records))
}

// fail counts records that were not sent. The templates may have been among them.
func (e *Exporter) fail(records int, err error) {
	e.isTold = false
	e.lost.Add(uint64(records))
	e.why.Store(&err)
}

// find looks the collector's name up, where it has one, and that is due.
func (e *Exporter) find(now time.Time) error {
	wanted := e.again.Swap(false) || !e.at.IsValid() && (e.tried.IsZero() || now.Sub(e.tried) >= lookupPause)
	if e.to.IsName() && wanted {
		e.tried = now
		ctx, cancel := context.WithTimeout(context.Background(), lookupPatience)
		defer cancel()
		addrs, err := e.lookup(ctx, e.to.Host)
		if err == nil && len(addrs) > 0 {
			e.at = netip.AddrPortFrom(addrs[0].Unmap(), e.to.Port)
			return nil
		}
		if err != nil && !e.at.IsValid() {
			return err
		}
	}
	if !e.at.IsValid() {
		return fmt.Errorf("%s is not resolved", e.to.Host)
	}
	return nil
}

// LookAgain has the collector's name looked up before the next message.
func (e *Exporter) LookAgain() { e.again.Store(true) }

// Counts are how many records were sent, and how many could not be, and why the last.
// Of those that were sent and came to nothing, nobody knows.
func (e *Exporter) Counts() (sent, lost uint64, why error) {
	if at := e.why.Load(); at != nil {
		why = *at
	}
	return e.sent.Load(), e.lost.Load(), why
}

// Close closes the socket.
func (e *Exporter) Close() error { return e.conn.Close() }
