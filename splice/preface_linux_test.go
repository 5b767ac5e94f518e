package splice

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// A preface comes first, once and whole, whatever room there is for it.
func TestPreface(t *testing.T) {
	preface, said := pattern(1, 60_000), pattern(2, 500_000)
	for _, network := range ways {
		for room, narrow := range map[string]func(fd int) (before []byte){
			"enough": func(int) []byte { return nil },
			"little": func(fd int) []byte {
				must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1))
				return nil
			},
			"none": func(fd int) (before []byte) {
				for chunk := bytes.Repeat([]byte{'x'}, 1<<10); ; {
					n, errno := send(fd, chunk, 0)
					if before = append(before, chunk[:n]...); errno == unix.EAGAIN {
						return before
					}
				}
			},
		} {
			t.Run(network+" "+room, func(t *testing.T) {
				g := newRig(t, network, Config{})
				before := narrow(g.fds[B])
				g.run()
				g.on(func() { g.relay.Preface(A, preface) })
				go func() {
					_, _ = g.client.Write(said)
					_ = g.client.CloseWrite()
				}()
				expect(t, g.server, bytes.Join([][]byte{before, preface, said}, nil))
				must(t, g.server.CloseWrite())
				expect(t, g.client, nil)
				g.wants(verdict{status: Finished, moved: [2]uint64{uint64(len(preface) + len(said)), 0}})
			})
		}
	}
}

// A preface to a side that has been reset is that side's failure.
func TestPrefaceToTheDead(t *testing.T) {
	for _, network := range tcp {
		g := newRig(t, network, Config{})
		reset(t, g.server)
		waitFor(t, "the reset", func() bool {
			state := []unix.PollFd{{Fd: int32(g.fds[B])}}
			_, err := unix.Poll(state, 0)
			return err == nil && state[0].Revents&unix.POLLHUP != 0
		})
		var r Relay
		r.Start(g.w, g.fds[A], g.fds[B])
		r.Preface(A, []byte("who it is"))
		r.Notify(B, In|Out|Err|HangUp|InHangUp)
		if s := r.Pump(); s != Broken {
			t.Errorf("%s: %v", network, s)
		}
		if side, errno := r.Failed(); side != B || errno != unix.ECONNRESET {
			t.Errorf("%s: side %d, %v", network, side, errno)
		}
		r.Release()
		g.w.Close()
	}
}
