//go:build linux

package load

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"sluice/bench/lab"
	"sluice/bench/serve"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// Every load crosses a gateway without a fault, from many clients to a server that
// is any address.
func TestEveryLoadCrossesTheGateway(t *testing.T) {
	l := lab.For(t, lab.Options{})
	var s *serve.Server
	if err := l.Server.Do(func() (err error) {
		s, err = serve.Listen(serve.Options{Listen: serve.Any(9000), Threads: 2})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, family := range [][2]string{{"198.18.3.4:9000", lab.ClientNet4}, {"[2001:2::3:4]:9000", lab.ClientNet6}} {
		for _, spec := range []Spec{
			{Test: TCPStream}, {Test: TCPStream, Direction: Down}, {Test: TCPStream, Direction: Both, Flows: 3},
			{Test: TCPRR}, {Test: TCPRR, Rate: 500}, {Test: TCPRR, Think: 10 * time.Millisecond},
			{Test: TCPCRR, Flows: 4}, {Test: TCPCRR, Rate: 200}, {Test: TCPIdle, Flows: 200},
			{Test: UDPRR}, {Test: UDPRR, Rate: 500}, {Test: UDPRR, Size: 65507, Window: 1, Flows: 4}, // 45 fragments each: more flows could overrun net.core.netdev_max_backlog
			{Test: UDPRR, Single: true, Size: 1472},
			{Test: UDPStream, Rate: 2000, Flows: 3}, {Test: UDPStream, Rate: 2000, Direction: Down, Flows: 3},
			{Test: UDPChurn}, {Test: UDPChurn, Rate: 200},
		} {
			spec.Target, spec.From = netip.MustParseAddrPort(family[0]), netip.MustParsePrefix(family[1])
			spec.Enter, spec.Duration = l.Client.Do, 100*time.Millisecond
			if res := runLoad(t, spec); !res.OK || res.Faults != (Faults{}) {
				t.Errorf("%+v:\n%d of %d, %+v, %v", res.Spec, res.Units, res.Sent, res.Faults, res.Failures)
			}
		}
	}
}
