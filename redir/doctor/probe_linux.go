package doctor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sluice/redir/rules"
)

// Times that the probe allows.
const (
	readyTime  = 5 * time.Second
	answerTime = 500 * time.Millisecond
	answers    = 3 // tries: the first may wait for a neighbour's address
)

const testName = "test of this kernel"

// kernelTest sends a connection and a datagram of each family through a
// gateway of its own, in throw-away namespaces: it shows what this kernel and
// this program can do, and nothing about the rules of the real gateway.
func kernelTest(ctx context.Context, executable string) []Result {
	if executable == "" {
		return nil
	}
	const name = testName
	l, err := newLab()
	if err != nil {
		return []Result{{Name: name, Status: Warn, Detail: fmt.Sprintf("not done: a throw-away gateway: %v", err), Remedy: "sluice doctor"}}
	}
	defer l.close()
	stopServer, err := l.serve()
	if err != nil {
		return []Result{{Name: name, Status: Warn, Detail: fmt.Sprintf("not done: %v", err)}}
	}
	defer stopServer()
	stop, err := l.startSluice(ctx, executable, false)
	if err != nil {
		return []Result{{Name: name, Status: Fail, Detail: fmt.Sprintf("sluice run does not get ready: %v", err), Remedy: fmt.Sprintf("sluice run --tproxy :%d", sluicePort)}}
	}
	defer stop()
	if err := l.gateway.do(func() error {
		_, err := rules.Apply(rules.Spec{TCPPort: sluicePort, UDPPort: sluicePort, Ifaces: []string{"c0"}})
		return err
	}); err != nil {
		return []Result{{Name: name, Status: Fail, Detail: err.Error()}}
	}
	return []Result{l.probe("tcp"), l.probe("udp")}
}

// probe asks the server of each family.
func (l *lab) probe(network string) Result {
	j := judge{name: testName + ", " + network}
	for _, server := range []string{probeServer4, probeServer6} {
		if strings.Contains(server, ":") && !hasIPv6() {
			continue
		}
		if err := l.ask(network, server); err != nil {
			j.find(Fail, fmt.Sprintf("%s through a gateway in namespaces of its own: %v", server, err), "sluice run --tproxy :12345 --log-level debug")
		}
	}
	return j.result("carried, each family, by a gateway in namespaces of its own (not by yours)")
}

func hasIPv6() bool {
	disabled, exists := sysctl("net/ipv6/conf/all/disable_ipv6")
	return exists && disabled == 0
}

// ask sends a line and wants it back, from the address that it was sent to: a
// connected socket takes nothing else.
func (l *lab) ask(network, server string) (err error) {
	return l.askFor(network, server, func(net.Conn) string { return "sluice\n" })
}

// askFor is ask where another answer is wanted.
func (l *lab) askFor(network, server string, wanted func(net.Conn) string) (err error) {
	for range answers {
		err = l.client.do(func() error {
			conn, err := net.DialTimeout(network, net.JoinHostPort(server, strconv.Itoa(probePort)), answerTime)
			if err != nil {
				return err
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(answerTime))
			if _, err := conn.Write([]byte("sluice\n")); err != nil {
				return err
			}
			buffer := make([]byte, 64)
			n, err := conn.Read(buffer)
			if want := wanted(conn); err == nil && string(buffer[:n]) != want {
				err = fmt.Errorf("came back as %q, not %q", buffer[:n], want)
			}
			return err
		})
		if err == nil {
			return nil
		}
	}
	return err
}

// listen opens TCP and UDP in the server's namespace.
func (l *lab) listen() (listener net.Listener, packets []net.PacketConn, err error) {
	err = l.server.do(func() error {
		var err error
		if listener, err = net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(probePort))); err != nil {
			return err
		}
		for _, host := range []string{probeServer4, probeServer6} {
			conn, err := net.ListenPacket("udp", net.JoinHostPort(host, strconv.Itoa(probePort)))
			if err == nil {
				packets = append(packets, conn)
			}
		}
		return nil
	})
	return listener, packets, err
}

func closeAll(listener net.Listener, packets []net.PacketConn) func() {
	return func() {
		listener.Close()
		for _, conn := range packets {
			conn.Close()
		}
	}
}

// serve echoes TCP and UDP in the server's namespace.
func (l *lab) serve() (stop func(), err error) {
	listener, packets, err := l.listen()
	if err != nil {
		return nil, err
	}
	go echoConns(listener)
	for _, conn := range packets {
		go echoDatagrams(conn)
	}
	return closeAll(listener, packets), nil
}

func echoConns(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(conn, conn)
			conn.Close()
		}()
	}
}

func echoDatagrams(conn net.PacketConn) {
	buffer := make([]byte, 64)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		_, _ = conn.WriteTo(buffer[:n], from)
	}
}

// startSluice runs the executable in the gateway until its ready line. What
// it said instead is the error.
func (l *lab) startSluice(ctx context.Context, executable string, redirect bool) (stop func(), err error) {
	way := "--tproxy"
	if redirect {
		way = "--redirect"
	}
	return l.start(ctx, executable, way, fmt.Sprintf(":%d", sluicePort))
}

// start is startSluice with flags, and without the files of this machine.
func (l *lab) start(ctx context.Context, executable string, flags ...string) (stop func(), err error) {
	cmd := exec.CommandContext(ctx, executable, append([]string{"run", "--config", "off", "--log-format", "json"}, flags...)...)
	cmd.Env = withoutSettings(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Kill() }
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := l.gateway.do(cmd.Start); err != nil {
		return nil, err
	}
	ready := make(chan error, 1)
	go func() { ready <- awaitReady(stderr) }()
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	select {
	case err = <-ready:
	case <-time.After(readyTime):
		err = fmt.Errorf("not within %s", readyTime)
	}
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// awaitReady reads log lines until one says ready, and drains the rest.
func awaitReady(stderr io.Reader) error {
	last := "it said nothing"
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		var line struct{ Message string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "ready" {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return nil
		}
		last = lines.Text()
	}
	return errors.New(strconv.Quote(last))
}

// withoutSettings leaves out the environment that configures sluice.
func withoutSettings(environ []string) []string {
	var kept []string
	for _, variable := range environ {
		if !strings.HasPrefix(variable, "SLUICE_") {
			kept = append(kept, variable)
		}
	}
	return kept
}
