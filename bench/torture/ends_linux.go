package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ending is one way for a connection to end: what one side does, and what the other
// must see. a acts, b sees; each is tried from either side.
type ending struct {
	name string
	try  func(a, b *net.TCPConn) error
}

func endings() []ending {
	return []ending{
		{"FIN at once", func(a, b *net.TCPConn) error { return errors.Join(a.CloseWrite(), wantEnd(b, "")) }},
		{"FIN after data", func(a, b *net.TCPConn) error {
			return errors.Join(write(a, "data"), a.CloseWrite(), wantEnd(b, "data"))
		}},
		{"late reply", func(a, b *net.TCPConn) error {
			return errors.Join(a.CloseWrite(), wantEnd(b, ""), write(b, "late"), b.CloseWrite(), wantEnd(a, "late"))
		}},
		{"both FIN", func(a, b *net.TCPConn) error {
			return errors.Join(write(a, "a"), write(b, "b"), a.CloseWrite(), b.CloseWrite(), wantEnd(b, "a"), wantEnd(a, "b"))
		}},
		{"RST while idle", func(a, b *net.TCPConn) error { abort(a); return wantReset(b, "") }},
		{"RST after data", func(a, b *net.TCPConn) error {
			if err := errors.Join(write(a, "data"), wantText(b, "data")); err != nil {
				return err
			}
			abort(a)
			return wantReset(b, "")
		}},
		{"RST of the half that is open", func(a, b *net.TCPConn) error {
			if err := errors.Join(b.CloseWrite(), wantEnd(a, "")); err != nil {
				return err
			}
			abort(a)
			return wantReset(b, "")
		}},
		{"RST against a FIN", func(a, b *net.TCPConn) error {
			if err := errors.Join(a.CloseWrite(), wantEnd(b, "")); err != nil {
				return err
			}
			abort(b)
			return wantReset(a, "")
		}},
		{"RST amid bulk", func(a, b *net.TCPConn) error {
			go func() { _, _ = io.Copy(b, endless{}) }() // until the reset
			if _, err := io.CopyN(io.Discard, a, 1<<20); err != nil {
				return err
			}
			abort(a)
			return untilReset(b)
		}},
	}
}

// ends tries each ending from either side, in both families and by both ways in, and
// an upstream that refuses.
func ends(ctx context.Context, s *stage) error {
	rounds := pick(s, 1, 20)
	tried, wrong := 0, 0
	var first error
	for _, redirect := range []bool{false, true} {
		p, err := s.startAs(ctx, way(redirect))
		if err != nil {
			return err
		}
		for i := range 2 * rounds {
			n, errs := s.allEndings(i%2 == 1)
			tried += n
			wrong += len(errs)
			if first == nil && len(errs) > 0 {
				first = errs[0]
			}
		}
		if err := p.stop(ctx); err != nil {
			return err
		}
	}
	s.note("ends", float64(tried), "")
	s.atMost("not as they were", float64(wrong), "", 0)
	return first
}

// way is a sluice that takes TCP by TPROXY or by REDIRECT.
func way(redirect bool) spec {
	if !redirect {
		return spec{}
	}
	return spec{bare: true, flags: []string{fmt.Sprintf("--redirect=:%d", redirectPort), "--via=redirect", "--install-rules",
		"--iface=lan", "--log-format=json", "--drain-timeout=2s"}}
}

func (s *stage) allEndings(v6 bool) (tried int, errs []error) {
	for _, e := range endings() {
		for _, fromServer := range []bool{false, true} {
			client, server, err := s.pair(v6)
			if err == nil {
				a, b := client, server
				if fromServer {
					a, b = server, client
				}
				err = e.try(a, b)
				_, _ = client.Close(), server.Close()
			}
			tried++
			if err != nil {
				errs = append(errs, fmt.Errorf("%s, from the server %v, IPv6 %v: %w", e.name, fromServer, v6, err))
			}
		}
	}
	conn, err := dial(s.Client, netip.Addr{}, dest(v6, otherPort), patience)
	if err == nil { // TPROXY accepts before it dials
		err = untilReset(conn)
		conn.Close()
	} else if wasReset(err) {
		err = nil
	}
	tried++
	if err != nil {
		errs = append(errs, fmt.Errorf("refused by the upstream, IPv6 %v: %w", v6, err))
	}
	return tried, errs
}

// pair connects the client to the server through sluice.
func (s *stage) pair(v6 bool) (client, server *net.TCPConn, err error) {
	ln, err := s.listen(v6, otherPort)
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	if client, err = dial(s.Client, netip.Addr{}, dest(v6, otherPort), patience); err != nil {
		return nil, nil, err
	}
	_ = ln.SetDeadline(time.Now().Add(patience))
	if server, err = ln.AcceptTCP(); err != nil {
		client.Close()
		return nil, nil, err
	}
	_ = server.SetDeadline(time.Now().Add(patience))
	return client, server, nil
}

func write(conn net.Conn, text string) error { _, err := io.WriteString(conn, text); return err }

// wantText takes as many bytes as text has.
func wantText(conn net.Conn, text string) error {
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if string(got) != text {
		return fmt.Errorf("got %q, want %q", got, text)
	}
	return nil
}

// wantEnd takes text and then a FIN.
func wantEnd(conn net.Conn, text string) error {
	got, err := io.ReadAll(conn)
	if err == nil && string(got) != text {
		err = fmt.Errorf("got %q, want %q", got, text)
	}
	return err
}

// wantReset takes text and then a reset.
func wantReset(conn net.Conn, text string) error {
	var got strings.Builder
	_, err := io.Copy(&got, conn)
	switch {
	case errors.Is(err, unix.ECONNRESET) && got.String() == text:
		return nil
	case err == nil:
		return fmt.Errorf("a FIN after %q, want a reset", got.String())
	}
	return fmt.Errorf("%w after %q, want a reset", err, got.String())
}

// untilReset reads on until a reset comes. A socket that reported one by a write's
// error (to another goroutine) reads as ended: that counts too.
func untilReset(conn net.Conn) error {
	_, err := io.Copy(io.Discard, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w, want a reset", err)
	}
	return nil
}

// endless is zeros without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { clear(b); return len(b), nil }
