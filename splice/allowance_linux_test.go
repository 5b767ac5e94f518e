package splice

import (
	"testing"

	"golang.org/x/sys/unix"
)

// received is what has arrived at a peer's fd.
func received(t *testing.T, fd int) (got []byte) {
	t.Helper()
	buf := make([]byte, 64<<10)
	for {
		n, errno := recv(fd, buf)
		if n == 0 {
			if errno != 0 && errno != unix.EAGAIN {
				t.Fatal(errno)
			}
			return got
		}
		got = append(got, buf[:n]...)
	}
}

// TestAllowance asserts that a side gives no more than it may, in its order, with its end behind, while the other side goes on.
func TestAllowance(t *testing.T) {
	everywhere(t, networks, func(t *testing.T, network string, c Config) {
		w := NewWorkspace(c)
		defer w.Close()
		s := newStill(t, network, w)
		data, answer := pattern(50, 20_000), pattern(51, 3_000)
		s.client.Write(data)
		s.client.CloseWrite()
		s.serv.Write(answer)
		arrived(t, s.client)
		arrived(t, s.serv)
		s.relay.Notify(A, In|InHangUp)
		s.relay.Notify(B, In)
		none := Allowance{0, Unlimited}
		if status := s.relay.PumpWithin(&none); status != Blocked || none[A] != 0 || none[B] != Unlimited-3_000 {
			t.Fatalf("%v, %v are left", status, none)
		}
		same(t, received(t, s.near), answer)
		if s.relay.Moved(A) != 0 || !s.relay.Wants(A) || s.relay.Wants(B) || s.relay.Stalled(A) || s.relay.HalfClosed() {
			t.Fatalf("a side that rests has moved %d bytes, or is taken for another", s.relay.Moved(A))
		}
		var got []byte
		for _, n := range []uint64{1, 4_999, 15_000} {
			a := Allowance{n, 0}
			if status := s.relay.PumpWithin(&a); status != Blocked || a[A] != 0 {
				t.Fatalf("%v, %v are left", status, a)
			}
			got = append(got, received(t, s.far)...)
			if s.relay.Moved(A) != uint64(len(got)) {
				t.Fatalf("%d bytes moved, %d arrived", s.relay.Moved(A), len(got))
			}
		}
		same(t, got, data)
		if s.relay.HalfClosed() || !s.relay.Wants(A) {
			t.Fatal("the end was passed on before there was an allowance for what it follows")
		}
		a := Allowance{1, 0}
		if s.relay.PumpWithin(&a); !s.relay.HalfClosed() || s.relay.Wants(A) || a[A] != 1 {
			t.Errorf("the end is not passed on: %v are left", a)
		}
	})
}

// TestAllowanceBehindReset asserts that what a side had sent before it failed is delivered as it may be, and the failure is known
// then.
func TestAllowanceBehindReset(t *testing.T) {
	everywhere(t, []string{"tcp4", "tcp6"}, func(t *testing.T, network string, c Config) {
		w := NewWorkspace(c)
		defer w.Close()
		s := newStill(t, network, w)
		data := pattern(52, 10_000)
		s.client.Write(data)
		arrived(t, s.client)
		reset(t, s.client)
		waitFor(t, "the reset", func() bool {
			state := []unix.PollFd{{Fd: int32(s.relay.fd(A))}}
			unix.Poll(state, 0)
			return state[0].Revents&unix.POLLERR != 0
		})
		s.relay.Notify(A, In|InHangUp|HangUp|Err)
		var got []byte
		for len(got) < len(data) {
			a := Allowance{4_000, Unlimited}
			if status := s.relay.PumpWithin(&a); status == Broken && s.relay.Moved(A) < uint64(len(data)) {
				t.Fatalf("broken after %d bytes", s.relay.Moved(A))
			}
			got = append(got, received(t, s.far)...)
		}
		same(t, got, data)
		a := Allowance{1, 1}
		if status := s.relay.PumpWithin(&a); status != Broken {
			t.Errorf("%v", status)
		}
	})
}

// TestAllowanceBulk asserts that what is allowed much at a time is spliced.
func TestAllowanceBulk(t *testing.T) {
	w := NewWorkspace(Config{})
	defer w.Close()
	s := newStill(t, "tcp4", w)
	data := pattern(53, 64<<10)
	for range 20 {
		s.client.Write(data)
		arrived(t, s.client)
		s.relay.Notify(A, In)
		for got := 0; got < len(data); {
			a := Allowance{32 << 10, 0}
			s.relay.PumpWithin(&a)
			got += len(received(t, s.far))
		}
	}
	if w.spliced == 0 {
		t.Error("nothing was spliced")
	}
}
