package inject

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
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
// starts is watched as well. It needs CAP_SYS_ADMIN. dup3, fcntl and close are not
// for watching: the child makes them before it becomes the program, while this
// process' thread waits for it (forkAndExecInChild in Go's syscall), and with a
// stopped world nobody would answer.
func Start(cmd *exec.Cmd, calls ...uintptr) (*Injector, error) {
	in := &Injector{ended: make(chan struct{})}
	err := onLastThread(func() (err error) {
		if in.fd, err = install(filter(calls)); err != nil {
			return fmt.Errorf("watch system calls: %w", err)
		}
		go in.serve()
		return cmd.Start()
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// onLastThread runs f on a thread that ends afterwards, since what f does to it
// cannot be undone. The process' first thread never ends (runtime.LockOSThread):
// it is held while another is taken.
func onLastThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			done <- onLastThread(f)
			runtime.UnlockOSThread()
			return
		}
		done <- f()
	}()
	return <-done
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
