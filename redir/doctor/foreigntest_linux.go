package doctor

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"sluice/redir/rules"
)

const foreignTestName = testName + ", clients' addresses"

// Where sluice listens in that test, which nobody has.
var (
	foreign4 = netip.MustParseAddrPort("203.0.113.7:" + strconv.Itoa(probePort))
	foreign6 = netip.MustParseAddrPort("[2001:db8:7::7]:" + strconv.Itoa(probePort))
)

// foreignTest sends a connection and a datagram of each family to an address that
// the gateway does not have, where sluice listens, and has it carry them to a
// server that tells whom it sees: the client, if this kernel has what --source
// client and such listeners need.
func foreignTest(ctx context.Context, executable string) []Result {
	if executable == "" {
		return nil
	}
	l, err := newLab()
	if err != nil {
		return nil // kernelTest says so
	}
	defer l.close()
	stopServer, err := l.tellPeers()
	if err != nil {
		return nil // likewise
	}
	defer stopServer()
	listeners := []rules.Listener{{Addr: foreign4, TCP: true, UDP: true}}
	flags := []string{"--source", "client", "--forward", foreign4.String() + "=" + net.JoinHostPort(probeServer4, strconv.Itoa(probePort))}
	if hasIPv6() {
		listeners = append(listeners, rules.Listener{Addr: foreign6, TCP: true, UDP: true})
		flags = append(flags, "--forward", foreign6.String()+"="+net.JoinHostPort(probeServer6, strconv.Itoa(probePort)))
	}
	stop, err := l.start(ctx, executable, flags...)
	if err != nil {
		return []Result{{Name: foreignTestName, Status: Warn, Detail: fmt.Sprintf("sluice run --source client does not get ready: %v", err), Remedy: "sluice run --source client"}}
	}
	defer stop()
	if err := l.gateway.do(func() error {
		_, err := rules.Apply(rules.Spec{Listeners: listeners, Sources: rules.Sources{Clients: true, Ports: true, UDPPort: probePort}})
		return err
	}); err != nil {
		return []Result{{Name: foreignTestName, Status: Warn, Detail: err.Error(), Remedy: "modprobe -a nft_socket nft_tproxy nft_ct"}}
	}
	return []Result{l.probeForeign(listeners)}
}

func (l *lab) probeForeign(listeners []rules.Listener) Result {
	j := judge{name: foreignTestName}
	for _, network := range []string{"tcp", "udp"} {
		for _, listener := range listeners {
			if err := l.askFor(network, listener.Addr.Addr().String(), func(c net.Conn) string { return c.LocalAddr().String() }); err != nil {
				j.find(Warn, fmt.Sprintf("%s to %s through a gateway in namespaces of its own, which a server should see from the client's address: %v", network, listener.Addr, err),
					"sluice run --source gateway")
			}
		}
	}
	return j.result("servers see them, by both protocols and each family, and a foreign address is listened at, by a gateway in namespaces of its own (not by yours)")
}

// tellPeers answers in the server's namespace with the address that it sees.
func (l *lab) tellPeers() (stop func(), err error) {
	listener, packets, err := l.listen()
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
					fmt.Fprint(conn, conn.RemoteAddr())
				}
			}()
		}
	}()
	for _, conn := range packets {
		go func() {
			for buffer := make([]byte, 64); ; {
				_, from, err := conn.ReadFrom(buffer)
				if err != nil {
					return
				}
				_, _ = conn.WriteTo([]byte(from.String()), from)
			}
		}()
	}
	return closeAll(listener, packets), nil
}
