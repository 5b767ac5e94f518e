package watch

import (
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sluice/cmd/sluice/api"
	"sluice/redir"
	"sluice/redir/inbound"
	"sluice/redir/resolve"
)

// serve runs a gateway that carries TCP and UDP from the address that is returned to a
// server, which sends back what it gets.
func serve(t *testing.T) (*redir.Server, netip.AddrPort) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("UDP needs root")
	}
	server := echo(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(free.Addr().String())
	free.Close()
	s, err := redir.New(redir.Options{
		Inbounds:   []inbound.Spec{{Kind: inbound.Direct, Tag: "forward", Listen: at, TCP: true, UDP: true, Dest: server}},
		UDPTimeout: time.Minute, UDPQueryTimeout: time.Minute, UDPSessions: 1000, MaxConns: 1000,
		ConnectTimeout: 10 * time.Second, IdleTimeout: time.Hour, HalfCloseTimeout: time.Minute,
		Clients: redir.ClientOptions{Prefix: 64}, AllowLocal: true,
		PipeSize: 256 << 10, BufferSize: 64 << 10, Batch: 64, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Close() })
	return s, at
}

// echo is on 127.0.0.2, TCP and UDP at the same port.
func echo(t *testing.T) resolve.Target {
	t.Helper()
	datagrams, err := net.ListenPacket("udp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", datagrams.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { datagrams.Close(); listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	go func() {
		buffer := make([]byte, 2048)
		for {
			n, from, err := datagrams.ReadFrom(buffer)
			if err != nil {
				return
			}
			datagrams.WriteTo(buffer[:n], from)
		}
	}()
	port := datagrams.LocalAddr().(*net.UDPAddr).Port
	return resolve.Target{Host: "127.0.0.2", Port: uint16(port)}
}

// exchange sends bytes and waits until they have come back.
func exchange(t *testing.T, c net.Conn, bytes, piece int) {
	t.Helper()
	out, in := make([]byte, piece), make([]byte, piece)
	c.SetDeadline(time.Now().Add(30 * time.Second))
	for range bytes / piece {
		if _, err := c.Write(out); err != nil {
			t.Error(err)
			return
		}
		if _, err := io.ReadFull(c, in); err != nil {
			t.Error(err)
			return
		}
	}
}

// TestGateway compares what is said of a gateway with what was sent through it.
func TestGateway(t *testing.T) {
	server, at := serve(t)
	w := New(Config{Source: server})
	defer w.Close()
	samples := subscribe(t, w, api.Query{Sort: "rate"})
	long, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer long.Close()
	session, err := net.Dial("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	const longBytes, shortBytes, udpBytes, shorts = 40 << 20, 10_000, 100_000, 300
	var sending sync.WaitGroup
	sending.Go(func() { exchange(t, long, longBytes, 64<<10) })
	sending.Go(func() { exchange(t, session, udpBytes, 1000) })
	sending.Go(func() {
		for range shorts {
			c, err := net.Dial("tcp", at.String())
			if err != nil {
				t.Error(err)
				return
			}
			exchange(t, c, shortBytes, shortBytes)
			c.Close()
		}
	})
	sent := make(chan struct{})
	go func() { sending.Wait(); close(sent) }()
	sums := map[string]float64{}
	var last api.Sample
	for after := 0; after < 2; {
		select {
		case <-sent:
			after++
		default:
		}
		last = <-samples
		sum(sums, &last)
	}
	check := func(what string, want float64) {
		t.Helper()
		if got := math.Round(sums[what]); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	const tcpBytes = longBytes + shorts*shortBytes
	check("tcp up", tcpBytes)
	check("tcp down", tcpBytes)
	check("udp up", udpBytes)
	check("udp down", udpBytes)
	check("udp datagrams", udpBytes/1000)
	check("tcp opened", 1+shorts)
	check("client 127.0.0.1 up", tcpBytes+udpBytes)
	check("client 127.0.0.1 down", tcpBytes+udpBytes)
	check("destination 127.0.0.2 up", tcpBytes+udpBytes)
	if last.Connections != 1 || last.Sessions != 1 || last.Total != 2 || last.Lost != 0 {
		t.Errorf("%+v", last)
	}
	for _, f := range last.Flows {
		want := uint64(udpBytes)
		if f.Network == "tcp" {
			want = longBytes
			if f.Destination != at.String() || f.Dialed == "" || f.Source == "" {
				t.Errorf("%+v", f)
			}
		}
		if f.BytesUp != want || f.BytesDown != want || f.Inbound != "forward" || f.RateUp == nil {
			t.Errorf("%+v", f)
		}
	}
}

// sum adds what a sample says to the sums.
func sum(sums map[string]float64, s *api.Sample) {
	for _, n := range s.Networks {
		sums[n.Network+" up"] += n.RateUp * s.Interval
		sums[n.Network+" down"] += n.RateDown * s.Interval
		sums[n.Network+" datagrams"] += n.DatagramsUp * s.Interval
		sums[n.Network+" opened"] += n.Opened * s.Interval
	}
	for _, c := range s.Clients {
		sums["client "+c.Address+" up"] += c.RateUp * s.Interval
		sums["client "+c.Address+" down"] += c.RateDown * s.Interval
	}
	for _, d := range s.Destinations {
		sums["destination "+d.Address+" up"] += d.RateUp * s.Interval
	}
}

// TestRateOfAFlow compares the rate of a flow with what its bytes say, between two
// samples.
func TestRateOfAFlow(t *testing.T) {
	server, at := serve(t)
	w := New(Config{Source: server})
	defer w.Close()
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() {
		defer c.Close()
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				exchange(t, c, 100_000, 100_000)
			case <-done:
				return
			}
		}
	})
	defer sending.Wait()
	defer close(done)
	q := api.Query{Sort: "rate", Rate: 1, Client: []string{c.LocalAddr().String()}}
	samples := subscribe(t, w, q)
	first, second := <-samples, <-samples
	if len(first.Flows) != 1 || len(second.Flows) != 1 {
		t.Fatalf("%d and %d flows", len(first.Flows), len(second.Flows))
	}
	bytes := float64(second.Flows[0].BytesUp - first.Flows[0].BytesUp)
	rate, want := *second.Flows[0].RateUp, bytes/second.Time.Sub(first.Time).Seconds()
	if bytes < 1e5 || math.Abs(rate/want-1) > 0.05 {
		t.Errorf("%v bytes a second, want %v", rate, want)
	}
	page, err := w.Rates(t.Context(), q)
	if err != nil || len(page.Flows) != 1 || *page.Flows[0].RateDown == 0 {
		t.Errorf("%+v, %v", page, err)
	}
}
