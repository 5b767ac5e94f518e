package torture

import (
	"context"
	"net/netip"
	"time"

	"sluice/bench/dgram"
	"sluice/bench/serve"
)

// Echo services of the client's and the server's side, and how much of a loop may go on.
const (
	lanEcho4 = "10.78.7.7"
	lanEcho6 = "fd78::7:7"
	// loopMost is exchanges a second once a loop has been damped.
	loopMost = 200
)

// echoLoop spoofs a datagram of one echo service to another, and looks how fast it
// goes back and forth after a while.
func echoLoop(ctx context.Context, s *stage) error {
	p, err := s.start(ctx)
	if err != nil {
		return err
	}
	if err := s.serve(echoPort); err != nil {
		return err
	}
	for _, v6 := range []bool{false, true} {
		lan := netip.AddrPortFrom(netip.MustParseAddr(lanEcho4), echoPort)
		if v6 {
			lan = netip.AddrPortFrom(netip.MustParseAddr(lanEcho6), echoPort)
		}
		if err := s.loopFrom(lan, dest(v6, echoPort)); err != nil {
			return err
		}
	}
	begin := time.Now()
	pass(ctx, pick(s, 2*time.Second, 10*time.Second)) // time to notice
	first, err := p.counters(ctx)
	if err != nil {
		return err
	}
	counted := time.Now()
	pass(ctx, time.Second)
	second, err := p.counters(ctx)
	if err != nil {
		return err
	}
	const sent = "datagrams_to_upstream"
	s.atLeast("exchanged at first", first[sent], "", 1)
	s.note("a second at first", first[sent]/counted.Sub(begin).Seconds(), "")
	s.about(Most, "a second afterwards", (second[sent]-first[sent])/time.Since(counted).Seconds(), "", loopMost, loopMost)
	return p.stop(ctx)
}

// loopFrom opens an echo service in the client and sends a few datagrams with its
// name to the server's.
func (s *stage) loopFrom(lan, to netip.AddrPort) error {
	const datagrams = 4
	return s.Client.Do(func() error {
		sock, err := dgram.Open(dgram.Config{Local: lan, ReusePort: true})
		if err != nil {
			return err
		}
		tx := dgram.NewSender(datagrams)
		for range datagrams {
			tx.Add([]byte("round and round"), 0, to, netip.Addr{})
		}
		if _, err := tx.Send(sock); err != nil {
			return err
		}
		server, err := serve.Listen(serve.Options{Listen: []netip.AddrPort{lan}})
		if err != nil {
			return err
		}
		s.servers = append(s.servers, server)
		return sock.Close()
	})
}
