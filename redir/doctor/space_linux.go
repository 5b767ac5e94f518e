package doctor

import (
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// space is a throw-away network namespace. Its thread runs what do is given
// and ends at close; the namespace ends with the last process or socket in it.
type space struct {
	calls chan func()
	fd    int // of the namespace, to move links into it
}

// newSpace needs CAP_SYS_ADMIN (unshare(2)).
func newSpace() (*space, error) {
	s := &space{calls: make(chan func()), fd: -1}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the runtime ends the thread with the goroutine
		err := os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_NEWNET))
		if err == nil {
			s.fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			err = os.NewSyscallError("open", err)
		}
		ready <- err
		for call := range s.calls {
			call()
		}
	}()
	err := <-ready
	if err == nil {
		err = s.do(func() error { return up("lo") })
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// do runs f on the namespace's thread and waits for it.
func (s *space) do(f func() error) (err error) {
	done := make(chan struct{})
	s.calls <- func() { defer close(done); err = f() }
	<-done
	return err
}

func (s *space) close() {
	close(s.calls)
	if s.fd >= 0 {
		unix.Close(s.fd)
	}
}

// up sets a link up, in the calling thread's namespace.
func up(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}
