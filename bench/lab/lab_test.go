//go:build linux

package lab_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

const patience = 10 * time.Second

// listen opens a TCP listener inside a namespace.
func listen(t *testing.T, ns *lab.Namespace, lc net.ListenConfig, addr string) net.Listener {
	t.Helper()
	var ln net.Listener
	if err := ns.Do(func() (err error) {
		ln, err = lc.Listen(context.Background(), "tcp", addr)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// ask connects from one address inside the client and returns all that it is sent.
func ask(t *testing.T, l *lab.Lab, from, to string) string {
	t.Helper()
	var conn net.Conn
	if err := l.Client.Do(func() (err error) {
		d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err = d.Dial("tcp", to)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// answer sends each connection what label makes of it.
func answer(ln net.Listener, label func(net.Conn) string) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, label(conn))
		conn.Close()
	}
}

// ends names both ends of a connection, without the peer's port.
func ends(c net.Conn) string {
	peer := c.RemoteAddr().(*net.TCPAddr).IP
	return peer.String() + " > " + c.LocalAddr().String()
}

func TestForwardsBetweenAnyAddresses(t *testing.T) {
	for _, o := range []lab.Options{{}, {Bridge: true, GRO: true, MTU: 9000}} {
		l := lab.For(t, o)
		go answer(listen(t, l.Server, net.ListenConfig{}, ":8080"), ends)
		for _, c := range [][2]string{
			{lab.Client4, lab.Server4}, {lab.Client6, lab.Server6},
			{"10.78.3.4", "198.19.5.6"}, {"fd78::1:2", "2001:2::abcd"},
		} {
			dest := net.JoinHostPort(c[1], "8080")
			if got, want := ask(t, l, c[0], dest), c[0]+" > "+dest; got != want {
				t.Errorf("%+v: server saw %q, want %q", o, got, want)
			}
		}
	}
}

func TestOptionsReachTheLinks(t *testing.T) {
	l := lab.For(t, lab.Options{Bridge: true, GRO: true, MTU: 4000})
	for ns, link := range map[*lab.Namespace]string{l.Client: lab.LAN, l.Gateway: lab.LAN + "0", l.Server: lab.WAN} {
		if on, err := ns.GRO(link); err != nil || !on {
			t.Errorf("%s %s: gro %v, %v", ns.Name, link, on, err)
		}
		if got, err := ns.ReadSysctl("net/ipv6/conf/" + link + "/mtu"); err != nil || got != "4000" {
			t.Errorf("%s %s: mtu %s, %v", ns.Name, link, got, err)
		}
	}
	plain := lab.For(t, lab.Options{})
	if on, err := plain.Client.GRO(lab.LAN); err != nil || on {
		t.Errorf("gro %v, %v without the option", on, err)
	}
}

// transparent lets a listener take what TPROXY hands it.
func transparent(network, _ string, c syscall.RawConn) (err error) {
	set := func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1)
	}
	return errors.Join(c.Control(set), err)
}

func TestDiverts(t *testing.T) {
	for name, divert := range map[string]func(*lab.Lab) error{
		"iptables": func(l *lab.Lab) error {
			return errors.Join(l.Redirect(12346, 8081), l.TProxy(12345, 8082, 8083), l.TProxy(12345, 8084))
		},
		"nft": func(l *lab.Lab) error {
			return errors.Join(l.RedirectNFT(12346, 8081), l.TProxyNFT(12345, 8082, 8083), l.TProxyNFT(12345, 8084))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := lab.For(t, lab.Options{})
			if err := divert(l); err != nil {
				t.Fatal(err)
			}
			say := func(word string) func(net.Conn) string {
				return func(c net.Conn) string { return word + " " + ends(c) }
			}
			go answer(listen(t, l.Gateway, net.ListenConfig{}, ":12346"), say("redirect"))
			go answer(listen(t, l.Gateway, net.ListenConfig{Control: transparent}, ":12345"), say("tproxy"))
			go answer(listen(t, l.Server, net.ListenConfig{}, ":8085"), say("server"))
			for dest, want := range map[string]string{
				"10.77.2.2:8081":   "redirect 10.77.1.2 > 10.77.1.1:12346",
				"10.77.2.2:8082":   "tproxy 10.77.1.2 > 10.77.2.2:8082",
				"198.18.7.7:8084":  "tproxy 10.77.1.2 > 198.18.7.7:8084",
				"[2001:2::1]:8083": "tproxy fd77:1::2 > [2001:2::1]:8083",
				"10.77.2.2:8085":   "server 10.77.1.2 > 10.77.2.2:8085",
				"[fd77:2::2]:8085": "server fd77:1::2 > [fd77:2::2]:8085",
			} {
				from := lab.Client4
				if netip.MustParseAddrPort(dest).Addr().Is6() {
					from = lab.Client6
				}
				if got := ask(t, l, from, dest); got != want {
					t.Errorf("%s: %q, want %q", dest, got, want)
				}
			}
			if got := ask(t, l, lab.Client6, "[fd77:2::2]:8081"); !strings.HasPrefix(got, "redirect fd77:1::2 > ") {
				t.Errorf("redirect over IPv6: %q", got)
			}
		})
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	l := lab.For(t, lab.Options{})
	cmd := l.Gateway.Command(context.Background(), "sh", "-c", "echo up; sleep 1000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("up\n"))); err != nil {
		t.Fatal(err)
	}
	if _, err := lab.Open(l.Name); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("process inside ended with %v, want SIGKILL", err)
	}
	if left, _ := filepath.Glob("/run/netns/" + l.Name + "*"); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if _, err := lab.Open(l.Name); err == nil {
		t.Error("a closed lab can be opened")
	}
}

func TestNamesAreUnique(t *testing.T) {
	l := lab.For(t, lab.Options{})
	if _, err := lab.New(lab.Options{Name: l.Name}); err == nil {
		t.Fatal("two labs of one name")
	}
	if got := ask(t, withServer(t, l), lab.Client4, net.JoinHostPort(lab.Server4, "80")); got == "" {
		t.Error("the refused second lab broke the first")
	}
}

func withServer(t *testing.T, l *lab.Lab) *lab.Lab {
	go answer(listen(t, l.Server, net.ListenConfig{}, ":80"), ends)
	return l
}
