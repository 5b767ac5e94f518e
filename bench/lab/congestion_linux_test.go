package lab_test

import (
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// congestionOf is what a connection has.
func congestionOf(t *testing.T, c net.Conn) string {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var name string
	if e := raw.Control(func(fd uintptr) {
		name, err = unix.GetsockoptString(int(fd), unix.SOL_TCP, unix.TCP_CONGESTION)
	}); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return strings.TrimRight(name, "\x00")
}

// legs connects, and returns both ends: the one that connected and the one that
// accepted. Both live until the test ends.
func legs(t *testing.T, from *lab.Namespace, source string, ln net.Listener, to string) [2]net.Conn {
	t.Helper()
	var ends [2]net.Conn
	if err := from.Do(func() (err error) {
		d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
		ends[0], err = d.Dial("tcp", to)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ends[0].Close() })
	var err error
	if ends[1], err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ends[1].Close() })
	return ends
}

// other is a congestion control that is not the machine's.
func other(t *testing.T) (machine, another string) {
	t.Helper()
	machine, err := lab.Congestion()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cubic", "reno"} { // reno is part of every kernel
		if name != machine && lab.CheckCongestion(name) == nil {
			return machine, name
		}
	}
	t.Fatalf("there is none but %s", machine)
	return "", ""
}

// Every end of a connection has it, of both families: that of a client, of a server,
// and at the gateway those to either, under its own addresses and under those of others.
func TestCongestion(t *testing.T) {
	machine, another := other(t)
	l := lab.For(t, lab.Options{Congestion: another})
	if err := l.TProxy(12345, 8080); err != nil {
		t.Fatal(err)
	}
	server := listen(t, l.Server, net.ListenConfig{}, ":8081")
	diverted := listen(t, l.Gateway, net.ListenConfig{Control: transparent}, ":12345")
	gateway := listen(t, l.Gateway, net.ListenConfig{}, ":8082")
	for _, c := range []struct{ set, want string }{{"", another}, {machine, machine}, {another, another}, {"reno", "reno"}} {
		if c.set != "" {
			if err := l.SetCongestion(c.set); err != nil {
				t.Fatal(err)
			}
		}
		for _, way := range []struct {
			name   string
			from   *lab.Namespace
			source string
			ln     net.Listener
			to     string
		}{
			{"diverted, 4", l.Client, lab.Client4, diverted, "198.18.7.7:8080"},
			{"diverted, 6", l.Client, lab.Client6, diverted, "[2001:2::7]:8080"},
			{"diverted to the server's address, 4", l.Client, "10.78.1.1", diverted, lab.Server4 + ":8080"},
			{"diverted to the server's address, 6", l.Client, "fd78::9", diverted, "[" + lab.Server6 + "]:8080"},
			{"forwarded, 4", l.Client, lab.Client4, server, lab.Server4 + ":8081"},
			{"forwarded, 6", l.Client, lab.Client6, server, "[2001:2::8]:8081"},
			{"upstream, 4", l.Gateway, lab.GatewayWAN4, server, lab.Server4 + ":8081"},
			{"upstream, 6", l.Gateway, lab.GatewayWAN6, server, "[" + lab.Server6 + "]:8081"},
			{"upstream to a prefix, 4", l.Gateway, lab.GatewayWAN4, server, "198.18.7.7:8081"},
			{"upstream to a prefix, 6", l.Gateway, lab.GatewayWAN6, server, "[2001:2::7]:8081"},
			{"to the gateway, 4", l.Client, lab.Client4, gateway, lab.GatewayLAN4 + ":8082"},
			{"to the gateway, 6", l.Client, "fd78::9", gateway, "[" + lab.GatewayLAN6 + "]:8082"},
			{"within the server, 4", l.Server, lab.Server4, server, lab.Server4 + ":8081"},
		} {
			for i, end := range legs(t, way.from, way.source, way.ln, way.to) {
				if got := congestionOf(t, end); got != c.want {
					t.Errorf("%s: the end that %s has %s, want %s", way.name, []string{"connected", "accepted"}[i], got, c.want)
				}
			}
		}
	}
}

// Routes come out as they were but for the metric, and lose none of themselves.
func TestCongestionKeepsRoutes(t *testing.T) {
	machine, another := other(t)
	l := lab.For(t, lab.Options{Bridge: true})
	shown := func(ns *lab.Namespace, family string) string {
		out, err := ns.Command(t.Context(), "ip", family, "route", "show", "table", "all").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for _, ns := range []*lab.Namespace{l.Client, l.Gateway, l.Server} {
		for _, family := range []string{"-4", "-6"} {
			before := shown(ns, family)
			if err := l.SetCongestion(another); err != nil {
				t.Fatal(err)
			}
			with := shown(ns, family)
			if !strings.Contains(with, " congctl "+another) || strings.ReplaceAll(with, " congctl "+another, "") != before {
				t.Errorf("with %s:\n%s\nbefore:\n%s", another, with, before)
			}
			if err := l.SetCongestion(machine); err != nil {
				t.Fatal(err)
			}
			if after := shown(ns, family); after != before {
				t.Errorf("after:\n%s\nbefore:\n%s", after, before)
			}
		}
	}
}

// One that there is not is refused before a lab is made, with what there is.
func TestNoSuchCongestion(t *testing.T) {
	machine, _ := other(t)
	_, err := lab.New(lab.Options{Congestion: "nosuch"})
	if err == nil || !strings.Contains(err.Error(), machine) || !strings.Contains(err.Error(), "modprobe tcp_nosuch") {
		t.Errorf("error %v", err)
	}
	if err := lab.CheckCongestion(""); err == nil {
		t.Error("an empty name passes")
	}
}
