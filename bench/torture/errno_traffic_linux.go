package torture

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// looks sees whether sluice serves and sleeps once nothing fails any more.
func (t *errnoTally) looks(ctx context.Context, p *sluice, name string) {
	for _, v6 := range []bool{false, true} {
		err := t.Client.Do(func() error { return pingTCP(dest(v6, servePort), patience) })
		for range 5 { // a datagram may be lost
			if err == nil {
				if err = t.Client.Do(func() error { return pingUDP(dest(v6, servePort), time.Second) }); err == nil {
					break
				}
			}
		}
		if err != nil {
			t.dead = append(t.dead, name+": "+err.Error())
		}
	}
	const while = 100 * time.Millisecond
	busy := func() bool {
		used := p.CPU()
		pass(ctx, while)
		return p.CPU()-used > while/2
	}
	if busy() && busy() && busy() { // what came before may take a moment
		t.spins = append(t.spins, name)
	}
}

// ofPeer tells an error by which a peer ends a connection, or the way to it: that is
// passed on and is no failure of the gateway's own.
func ofPeer(errno string) bool {
	switch errno {
	case "ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH":
		return true
	}
	return false
}

// told sums up the counters that tell of what went wrong.
func told(counters map[string]float64) (sum float64) {
	for name, n := range counters {
		traffic := false
		for _, prefix := range []string{"conns_", "tcp_bytes", "udp_bytes", "udp_sessions_now", "udp_sessions_opened", "udp_sessions_closed", "datagrams_"} {
			traffic = traffic || strings.HasPrefix(name, prefix)
		}
		if !traffic {
			sum += n
		}
	}
	return sum
}

// hangWait is after how long a connection hangs: longer than the connect timeout.
const hangWait = 5 * time.Second

// fate is what became of clients.
type fate struct{ delivered, reset, hung int }

// traffic is a few connections and sessions of each kind, at once: small, with either
// half closed first, and bulk.
func (t *errnoTally) traffic(ctx context.Context) (f fate) {
	var mu sync.Mutex
	var running sync.WaitGroup
	one := func(try func() error) {
		running.Go(func() {
			err := t.Client.Do(try)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				f.delivered++
			case isTimeout(err):
				f.hung++
			default:
				f.reset++
			}
		})
	}
	for i := range 12 {
		one(func() error { return errnoFlow(dest(i%2 == 1, servePort), i) })
	}
	for i := range 4 { // their loss is no one's
		running.Go(func() {
			_ = t.Client.Do(func() error {
				for range 3 {
					_ = pingUDP(dest(i%2 == 1, servePort), 100*time.Millisecond)
				}
				return nil
			})
		})
	}
	running.Wait()
	return f
}

// errnoFlow is a connection of one kind: its echo is compared to the end.
func errnoFlow(to netip.AddrPort, kind int) error {
	conn, err := dialHere(netip.Addr{}, to, hangWait)
	if err != nil {
		return err
	}
	defer conn.Close()
	if kind%6 < 4 {
		if err := exchange(conn, "a small exchange"); err != nil {
			return err
		}
		if kind%2 == 0 {
			return nil
		}
		if err := conn.CloseWrite(); err != nil {
			return err
		}
		return wantEnd(conn, "")
	}
	text := strings.Repeat("bulk ", 200_000)
	sent := make(chan error, 1)
	go func() { sent <- write(conn, text) }()
	if err := wantText(conn, text); err != nil {
		return err
	}
	return <-sent
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}
