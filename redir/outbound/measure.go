package outbound

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"sluice/redir/greet"
	"sluice/redir/resolve"
)

// Dialer reaches what a test asks for. Any goroutine may use it.
type Dialer struct {
	Dial   func(ctx context.Context, o *Outbound, to netip.AddrPort) (net.Conn, error) // as the outbound's sockets leave
	Lookup resolve.Lookup
	Now    func() int64 // ns, as Reactor.Now
}

// measure is how long the test takes by an outbound. Whether its server was reached
// is told to its health, whatever became of the test.
func (d *Dialer) measure(ctx context.Context, o *Outbound, t Test) (time.Duration, error) {
	for o.members != nil {
		i, _ := o.members.now()
		o = o.members.all[i]
	}
	began := time.Now()
	conn, err := d.connect(ctx, o, t.Target)
	if err != nil {
		return dead, err
	}
	defer conn.Close()
	if t.Request == "" {
		return time.Since(began), nil
	}
	if _, err := io.WriteString(conn, t.Request); err != nil {
		return dead, err
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return dead, err
	}
	return time.Since(began), nil
}

// connect connects to the target by an outbound.
func (d *Dialer) connect(ctx context.Context, o *Outbound, to resolve.Target) (net.Conn, error) {
	if !o.Kind.HasServer() {
		addrs, err := d.addrs(ctx, to)
		if err != nil {
			return nil, err
		}
		return d.dialOne(ctx, o, addrs)
	}
	conn, err := d.dialOne(ctx, o, o.Dests.For(netip.Addr{}, false))
	if err != nil {
		d.tell(ctx, o, err)
		return nil, err
	}
	if err = d.greet(conn, o.Proxy, to); err != nil {
		conn.Close()
		conn = nil
	}
	d.tell(ctx, o, err)
	return conn, err
}

// tell tells the health of an outbound what became of its server, which is there
// where it refuses. A test that was broken off says nothing.
func (d *Dialer) tell(ctx context.Context, o *Outbound, err error) {
	switch {
	case err == nil || errors.As(err, new(greet.Failure)):
		o.Reached(d.Now())
	case !errors.Is(ctx.Err(), context.Canceled):
		o.Failed(d.Now(), err)
	}
}

var errUnresolved = errors.New("its name is not resolved")

// dialOne connects to the first of the addresses that answers. The connection is of
// no use when ctx is done.
func (d *Dialer) dialOne(ctx context.Context, o *Outbound, addrs []netip.AddrPort) (net.Conn, error) {
	err := errUnresolved
	for i, at := range addrs {
		end, _ := ctx.Deadline()
		part, cancel := context.WithTimeout(ctx, time.Until(end)/time.Duration(len(addrs)-i))
		var conn net.Conn
		conn, err = d.Dial(part, o, at)
		cancel()
		if err == nil {
			_ = conn.SetDeadline(end) // fails where it was closed meanwhile, as all else will
			context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
			return conn, nil
		}
	}
	return nil, err
}

// addrs are those of a target.
func (d *Dialer) addrs(ctx context.Context, to resolve.Target) (all []netip.AddrPort, err error) {
	if !to.IsName() {
		return []netip.AddrPort{to.AddrPort()}, nil
	}
	found, err := d.Lookup(ctx, to.Host)
	for _, addr := range found {
		all = append(all, netip.AddrPortFrom(addr.Unmap(), to.Port))
	}
	return all, err
}

// mostSaid bounds what a proxy is expected to say at once, in bytes.
const mostSaid = 1024

// greet has the proxy at the other end connect to a target. A proxy that refuses
// is a greet.Failure.
func (d *Dialer) greet(conn net.Conn, p *greet.Proxy, to resolve.Target) error {
	request := greet.Connect(to.AddrPort())
	if to.IsName() {
		request = greet.ConnectName(to.Host, to.Port)
	}
	state := greet.Waiting()
	if p.Protocol() == greet.HTTP {
		state = p.Begin(d.Now())
	}
	said := make([]byte, 0, mostSaid)
	verdict := greet.Say
	for {
		switch verdict {
		case greet.Done:
			return nil
		case greet.Say:
			if _, err := conn.Write(p.Append(nil, &state, request)); err != nil {
				return err
			}
		case greet.More:
		default:
			return p.Failure(&state, verdict)
		}
		if len(said) == 0 {
			n, err := conn.Read(said[:mostSaid])
			if n == 0 {
				return err
			}
			said = said[:n]
		}
		var n int
		n, verdict = p.Take(&state, said)
		said = said[:copy(said, said[n:])]
	}
}
