package inject

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Fault is a watched call that fails.
type Fault struct {
	Call  uintptr // its number, SYS_ACCEPT4
	Errno syscall.Errno
	Times int // how many times; negative: until another fault is set
}

// Injector answers for the watched calls of one program. Its methods may be
// called from any goroutine.
type Injector struct {
	fd    int
	ended chan struct{}

	mu    sync.Mutex
	fault Fault
	hits  int
}

// Start starts cmd with the calls watched; none fails before Set. What cmd
// starts is watched as well. It needs CAP_SYS_ADMIN, or no_new_privs in cmd.
// read and write are not for watching: cmd hands the filter over by them.
func Start(cmd *exec.Cmd, calls ...uintptr) (*Injector, error) {
	if slices.Contains(calls, unix.SYS_READ) || slices.Contains(calls, unix.SYS_WRITE) {
		return nil, errors.New("watch system calls: read and write cannot be watched")
	}
	pair, err := socketpair()
	if err != nil {
		return nil, fmt.Errorf("watch system calls: %w", err)
	}
	defer pair[0].Close()
	asRunner(cmd, calls, pair[1])
	err = cmd.Start()
	pair[1].Close()
	if err != nil {
		return nil, err
	}
	in := &Injector{ended: make(chan struct{})}
	if in.fd, err = takeFilter(cmd.Process.Pid, pair[0]); err == nil {
		go in.serve()
		err = awaitProgram(pair[0])
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	return in, nil
}

// Set replaces the fault, and returns how many times the last one has struck.
func (in *Injector) Set(f Fault) (hits int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	hits = in.hits
	in.fault, in.hits = f, 0
	return hits
}

// Wait returns when the program, and all that it started, has ended.
func (in *Injector) Wait() { <-in.ended }

// serve answers until nobody is watched any more.
func (in *Injector) serve() {
	defer close(in.ended)
	defer unix.Close(in.fd)
	watched := []unix.PollFd{{Fd: int32(in.fd), Events: unix.POLLIN}}
	var n notice
	for {
		if _, err := unix.Poll(watched, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if watched[0].Revents&unix.POLLIN == 0 {
			if watched[0].Revents != 0 { // POLLHUP: the last one watched has ended
				return
			}
			continue
		}
		if receive(in.fd, &n) == nil {
			a := in.decide(&n)
			// ENOENT: a signal or the end came between.
			_ = reply(in.fd, &a)
		}
	}
}

func (in *Injector) decide(n *notice) answer {
	in.mu.Lock()
	defer in.mu.Unlock()
	if f := &in.fault; f.Errno != 0 && f.Times != 0 && uintptr(n.call) == f.Call {
		in.hits++
		if f.Times > 0 {
			f.Times--
		}
		return answer{id: n.id, errno: -int32(f.Errno)}
	}
	return answer{id: n.id, flags: goOn}
}
