package splice

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// sendOutOfBand sends one urgent byte, once the peer has room for it.
func sendOutOfBand(t *testing.T, p peer, b byte) {
	t.Helper()
	waitFor(t, "room for the urgent byte", func() bool {
		var err error
		raw(t, p, func(fd int) { err = unix.Sendto(fd, []byte{b}, unix.MSG_OOB|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil) })
		return err == nil
	})
}

// readMarked reads a stream to its end and tells where the urgent marks were.
func readMarked(t *testing.T, p peer) (data []byte, marks []int) {
	t.Helper()
	buf := make([]byte, 64<<10)
	for {
		fds := []unix.PollFd{{Events: unix.POLLIN}}
		n := -1
		raw(t, p, func(fd int) {
			fds[0].Fd = int32(fd)
			if ready, _ := unix.Poll(fds, 100); ready == 0 {
				return
			}
			limit := len(buf)
			if mark, _ := unix.IoctlGetInt(fd, unix.SIOCATMARK); mark != 0 {
				limit = 1
			}
			var err error
			if n, _, err = unix.Recvfrom(fd, buf[:limit], unix.MSG_DONTWAIT); err != nil {
				n = -1
			} else if limit == 1 && n == 1 {
				marks = append(marks, len(data))
			}
		})
		if n == 0 {
			return data, marks
		}
		data = append(data, buf[:max(n, 0)]...)
	}
}

func inline(t *testing.T, g *rig) {
	set := func(fd int) { must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1)) }
	set(g.fds[A])
	set(g.fds[B])
	raw(t, g.client, set)
	raw(t, g.server, set)
}

// One urgent byte in the middle of bulk, and as the last byte: in its place, still urgent, and the stream goes on behind it.
func TestUrgentByte(t *testing.T) {
	everywhere(t, tcp, func(t *testing.T, network string, c Config) {
		for _, after := range []int{5 << 20, 1, 0} {
			g := newRig(t, network, c)
			inline(t, g)
			g.run()
			before := max(after, 100_000)
			data := pattern(16, before+1+after)
			go func() {
				g.client.Write(data[:before])
				sendOutOfBand(t, g.client, data[before])
				g.client.Write(data[before+1:])
				g.client.CloseWrite()
			}()
			got, marks := readMarked(t, g.server)
			same(t, got, data)
			if len(marks) != 1 || marks[0] != before {
				t.Errorf("%d bytes behind: marks at %v, want %d", after, marks, before)
			}
			g.server.Close()
			g.wants(verdict{status: Finished, moved: [2]uint64{uint64(len(data)), 0}})
		}
	})
}

// Several, each waited for.
func TestUrgentBytesApart(t *testing.T) {
	everywhere(t, tcp, func(t *testing.T, network string, c Config) {
		g := newRig(t, network, c)
		inline(t, g)
		g.run()
		var got [1]byte
		for i := range byte(20) {
			sendOutOfBand(t, g.client, i)
			waitFor(t, "the mark", func() bool {
				mark := 0
				raw(t, g.server, func(fd int) { mark, _ = unix.IoctlGetInt(fd, unix.SIOCATMARK) })
				return mark != 0
			})
			n := 0
			waitFor(t, "the byte", func() bool { // not net.Conn.Read: a signal at the mark makes recv answer EAGAIN, with no edge to follow
				raw(t, g.server, func(fd int) { n, _, _ = unix.Recvfrom(fd, got[:], unix.MSG_DONTWAIT) })
				return n > 0
			})
			if got[0] != i {
				t.Fatalf("byte %d: got %d", i, got[0])
			}
		}
	})
}

// Several in a burst: TCP remembers the last only, but no byte of the stream is lost.
func TestUrgentBurst(t *testing.T) {
	everywhere(t, tcp, func(t *testing.T, network string, c Config) {
		g := newRig(t, network, c)
		inline(t, g)
		g.run()
		data := pattern(17, 1<<20)
		go func() {
			for rest := data; len(rest) > 0; {
				n := min(len(rest)-1, 50_000)
				g.client.Write(rest[:n])
				sendOutOfBand(t, g.client, rest[n])
				rest = rest[n+1:]
			}
			g.client.CloseWrite()
		}()
		got, marks := readMarked(t, g.server)
		same(t, got, data)
		if len(marks) == 0 || marks[len(marks)-1] != len(data)-1 {
			t.Errorf("marks at %v", marks)
		}
	})
}

// The urgent byte waits for its turn when the destination has no room.
func TestUrgentByteWaitsForRoom(t *testing.T) {
	for _, network := range tcp {
		g := newRig(t, network, Config{})
		inline(t, g)
		unix.SetsockoptInt(g.fds[B], unix.SOL_SOCKET, unix.SO_SNDBUF, 4<<10)
		raw(t, g.server, func(fd int) { unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10) })
		var sent int
		for chunk := bytes.Repeat([]byte{'x'}, 1<<10); ; { // until the relay's side B is full
			n, err := unix.SendmsgN(g.fds[B], chunk, nil, nil, unix.MSG_DONTWAIT)
			if err != nil {
				break
			}
			sent += n
		}
		sendOutOfBand(t, g.client, '!')
		arrived(t, g.client)
		var r Relay
		r.Start(g.w, g.fds[A], g.fds[B])
		r.Notify(A, In|Urgent)
		if s := r.Pump(); s != Blocked || !r.dirs[A].urgentHeld || r.Moved(A) != 0 {
			t.Fatalf("%v: %+v", s, r.dirs[A])
		}
		g.client.CloseWrite()
		got := make(chan []int)
		go func() {
			_, marks := readMarked(t, g.server)
			got <- marks
		}()
		waitFor(t, "the urgent byte", func() bool {
			r.Notify(B, Out)
			r.Pump()
			return r.Moved(A) == 1
		})
		unix.Shutdown(g.fds[B], unix.SHUT_WR)
		if marks := <-got; len(marks) != 1 || marks[0] != sent {
			t.Errorf("%s: marks at %v, want %d", network, marks, sent)
		}
		r.Release()
	}
}
