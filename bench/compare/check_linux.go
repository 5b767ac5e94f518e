package compare

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/frame"
)

const (
	checkWait   = 2 * time.Second // bounds each wait of a check
	refusalWait = 8 * time.Second // the same where a peer may try again, as HAProxy does
)

// Addresses of the server that only routing leads to.
func otherServers() [2]netip.Addr {
	return [2]netip.Addr{netip.MustParseAddr("198.18.7.1"), netip.MustParseAddr("198.18.7.2")}
}

// check asks a peer every question.
func (p *peer) check() []Check {
	if p.Role != "" {
		return p.checkRole()
	}
	tcp, err := newCheckServer(p.lab.Server, p.dest()+portCheck)
	if err != nil {
		return []Check{{Name: checkDest, Verdict: Wrong, Detail: err.Error()}}
	}
	defer tcp.close()
	checks := []Check{
		answer(checkDest, p.checkDest()),
		answer(checkBytes, p.checkBytes()),
		answer(checkHalf, p.checkHalfClose()),
		answer(checkReset, errors.Join(p.checkClientReset(tcp), p.checkServerReset())),
		answer(checkRefused, p.checkRefused()),
	}
	if !p.udp {
		for _, name := range []string{checkSizes, checkSource, checkMapping} {
			checks = append(checks, Check{Name: name, Verdict: Absent, Detail: "carries no UDP"})
		}
		return checks
	}
	return append(checks, p.checkUDP()...)
}

func answer(name string, err error) Check {
	if err != nil {
		return Check{Name: name, Verdict: Wrong, Detail: strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	return Check{Name: name, Verdict: Right}
}

// dialTCP connects from the client.
func (p *peer) dialTCP(to netip.AddrPort, wait time.Duration) (conn *net.TCPConn, err error) {
	err = p.lab.Client.Do(func() error {
		c, err := (&net.Dialer{Timeout: wait}).Dial("tcp4", to.String())
		if err != nil {
			return err
		}
		conn = c.(*net.TCPConn)
		return conn.SetDeadline(time.Now().Add(wait))
	})
	return conn, err
}

// command opens a connection to the check server and sends it a command.
func (p *peer) command(to netip.AddrPort, command byte) (*net.TCPConn, error) {
	conn, err := p.dialTCP(to, checkWait)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte{command}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func (p *peer) checkDest() error {
	want := otherServers()[0]
	conn, err := p.command(netip.AddrPortFrom(want, p.dest()+portCheck), sayAddress)
	if err != nil {
		return err
	}
	defer conn.Close()
	got, err := io.ReadAll(conn)
	if err == nil && string(got) != want.String() {
		err = fmt.Errorf("asked for %s, reached %q", want, got)
	}
	return err
}

// checkBytes sends bytes to an echo and compares, without an end of either half.
func (p *peer) checkBytes() error {
	conn, err := p.dialTCP(p.at(portServe), checkWait)
	if err != nil {
		return err
	}
	defer conn.Close()
	want := make([]byte, 4<<20)
	frame.Fill(want, 1)
	go func() { _, _ = conn.Write(want) }() // what is missing is missed below
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); err != nil {
		return fmt.Errorf("%d bytes of %d came back: %w", n, len(want), err)
	}
	if !bytes.Equal(got, want) {
		return errors.New("other bytes came back")
	}
	return nil
}

func (p *peer) checkHalfClose() error {
	conn, err := p.command(p.at(portCheck), answerAfterEnd)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.CloseWrite(); err != nil {
		return err
	}
	got, err := io.ReadAll(conn)
	if err == nil && string(got) != lateAnswer {
		err = fmt.Errorf("the late answer was %d bytes of %d", len(got), len(lateAnswer))
	}
	return err
}

// checkClientReset resets from the client and asks what the server met.
func (p *peer) checkClientReset(server *checkServer) error {
	conn, err := p.command(p.at(portCheck), tellEnd)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil { // the server is at it
		return err
	}
	if err := errors.Join(conn.SetLinger(0), conn.Close()); err != nil {
		return err
	}
	select {
	case end := <-server.ends:
		if !errors.Is(end, unix.ECONNRESET) {
			return fmt.Errorf("the client's reset was %w for the server", end)
		}
		return nil
	case <-time.After(checkWait):
		return errors.New("the client's reset did not reach the server")
	}
}

func (p *peer) checkServerReset() error {
	conn, err := p.command(p.at(portCheck), resetNow)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.ReadAll(conn); !errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("the server's reset was %w for the client", orEnd(err))
	}
	return nil
}

func (p *peer) checkRefused() error {
	conn, err := p.dialTCP(p.at(portNobody), refusalWait)
	if err == nil {
		defer conn.Close()
		_, err = io.ReadAll(conn)
	}
	if !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("a refused connection was %w for the client", orEnd(err))
	}
	return nil
}

// errOrderly is a FIN where a reset was due.
var errOrderly = errors.New("an orderly end")

// orEnd names the orderly end of a stream.
func orEnd(err error) error {
	if err == nil {
		return errOrderly
	}
	return err
}
