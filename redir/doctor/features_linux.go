package doctor

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Feature is something that the kernel may have, and that sluice uses where it is.
type Feature struct {
	Name string `json:"name"`
	Has  bool   `json:"has"`
	Why  string `json:"why,omitempty"` // it has not
}

// Features asks the kernel for what sluice uses, by using it: what anybody may use, and,
// for root, what rules and transparent sockets need, in a throw-away namespace. It
// changes nothing.
func Features() (all []Feature) {
	for _, f := range []struct {
		name string
		try  func() error
	}{
		{"UDP_GRO", option(unix.SOL_UDP, unix.UDP_GRO)},
		{"UDP_SEGMENT", option(unix.SOL_UDP, unix.UDP_SEGMENT)},
		{"IP_LOCAL_PORT_RANGE", option(unix.SOL_IP, ipLocalPortRange)},
		{"epoll_pwait2", tryEpollPwait2},
		{"io_uring", tryRing},
	} {
		all = append(all, featureOf(f.name, f.try()))
	}
	if os.Geteuid() != 0 {
		return all
	}
	s, err := newSpace()
	if err != nil {
		return all
	}
	defer s.close()
	for _, f := range features() {
		all = append(all, featureOf(f.name, s.do(f.probe)))
	}
	return all
}

func featureOf(name string, err error) Feature {
	f := Feature{Name: name, Has: err == nil}
	if err != nil {
		f.Why = err.Error()
	}
	return f
}

// ipLocalPortRange is IP_LOCAL_PORT_RANGE of linux/in.h, of Linux 6.3.
const ipLocalPortRange = 51

// option tries a socket option that takes 1, or 0, for none.
func option(level, opt int) func() error {
	return func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer unix.Close(fd)
		value := 1
		if opt == ipLocalPortRange || opt == unix.UDP_SEGMENT {
			value = 0
		}
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, opt, value))
	}
}

func tryEpollPwait2() error {
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, ^uintptr(0), 0, 1, 0, 0, 0)
	return unlessRefused("epoll_pwait2", errno, unix.EBADF, unix.EFAULT, unix.EINVAL)
}

// unlessRefused is nil where a call failed for its arguments, which it must have come to.
func unlessRefused(name string, errno syscall.Errno, fine ...syscall.Errno) error {
	for _, f := range fine {
		if errno == f {
			return nil
		}
	}
	return os.NewSyscallError(name, errno)
}
