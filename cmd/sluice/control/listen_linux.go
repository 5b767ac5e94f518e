package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sluice/redir/sockets"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// mostPath is how long a unix socket's path may be: sun_path has 108 bytes, and ends
// with a zero (unix(7)).
const mostPath = 107

// socketMode lets the account and its group connect.
const socketMode = 0o660

// Owner is the account that a socket shall belong to.
type Owner struct{ UID, GID int }

// Listener is an open control socket. Its methods may be called from any goroutine.
type Listener struct {
	net.Listener
	address Address
	mine    Owner
	closing sync.Once
}

// InUseError says that somebody else answers at a path.
type InUseError struct {
	Path string
	PID  int
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("%s: process %d answers there: end it first, or take another path", e.Path, e.PID)
}

// Listen opens the socket. Of fds, the listeners of a sluice that this one follows, it
// takes those that are at its address, and returns the rest; after an error, all are
// the caller's yet. An owner other than this process' account can be made so by root
// alone.
func Listen(a Address, owner Owner, fds []int) (l *Listener, rest []int, err error) {
	l = &Listener{address: a, mine: owner}
	if path := a.Path(); path != "" {
		l.Listener, rest, err = listenUnix(path, owner, fds)
	} else {
		l.Listener, rest, err = listenTCP(a.TCP(), fds)
	}
	if err != nil {
		return nil, fds, err
	}
	return l, rest, nil
}

func listenTCP(at netip.AddrPort, fds []int) (net.Listener, []int, error) {
	address := at.String()
	if l, rest := inherit(fds, func(l net.Listener) bool { return l.Addr().Network() == "tcp" && l.Addr().String() == address }); l != nil {
		return l, rest, nil
	}
	config := net.ListenConfig{Control: freely}
	network := "tcp"
	if at.Addr().Is4() {
		network = "tcp4" // "tcp" makes 0.0.0.0 all addresses of IPv6 too
	}
	l, err := config.Listen(context.Background(), network, address)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w: %s", err, sockets.InUse("tcp", at))
	}
	return l, fds, err
}

// freely lets an address be listened at that the machine gets later, as a gateway's
// does that starts before its network (ip(7)).
func freely(network, _ string, c syscall.RawConn) error {
	level, option := unix.SOL_IP, unix.IP_FREEBIND
	if network == "tcp6" {
		level, option = unix.SOL_IPV6, unix.IPV6_FREEBIND // since Linux 4.15
	}
	var inner error
	err := c.Control(func(fd uintptr) { inner = unix.SetsockoptInt(int(fd), level, option, 1) })
	if errors.Is(inner, unix.ENOPROTOOPT) {
		inner = nil
	}
	return errors.Join(err, os.NewSyscallError("setsockopt", inner))
}

func listenUnix(path string, owner Owner, fds []int) (net.Listener, []int, error) {
	if len(path) > mostPath {
		return nil, nil, fmt.Errorf("%s: the path has %d bytes, and a socket's may have %d: take a shorter one", path, len(path), mostPath)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("%s: there is no directory %s: make it first", path, filepath.Dir(path))
		}
	case err != nil:
		return nil, nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, nil, fmt.Errorf("%s: there is something else, which is no socket: take another path, or remove it", path)
	default:
		if l, rest := inherit(fds, func(l net.Listener) bool { return l.Addr().Network() == "unix" && l.Addr().String() == path }); l != nil {
			return l, rest, listenAgain(l)
		}
		if pid, answers := whoAnswers(path); answers {
			return nil, nil, &InUseError{path, pid}
		}
		if err := unix.Unlink(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // its sluice was killed
			return nil, nil, fmt.Errorf("%s: %w", path, os.NewSyscallError("unlink", err))
		}
	}
	l, err := bindUnix(path, owner)
	return l, fds, err
}

// bindUnix makes a socket that nobody can connect to before its mode and owner are
// right: it listens last.
func bindUnix(path string, owner Owner) (net.Listener, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, fmt.Errorf("%s: %w", path, os.NewSyscallError("bind", err))
	}
	err = os.Chmod(path, socketMode)
	if err == nil && (owner != Owner{os.Geteuid(), os.Getegid()}) {
		err = os.Lchown(path, owner.UID, owner.GID)
	}
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, unix.SOMAXCONN))
	}
	if err == nil {
		var l net.Listener
		if l, err = net.FileListener(file); err == nil { // a copy
			return l, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("%s: %w", path, err), unix.Unlink(path))
}

// listenAgain makes this process the one that SO_PEERCRED names (unix_listen in
// net/unix/af_unix.c).
func listenAgain(l net.Listener) error {
	raw, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) { inner = unix.Listen(int(fd), unix.SOMAXCONN) })
	return errors.Join(err, os.NewSyscallError("listen", inner))
}

// inherit finds the listener among fds that is wanted, and returns the others.
func inherit(fds []int, wanted func(net.Listener) bool) (found net.Listener, rest []int) {
	for _, fd := range fds {
		if found == nil {
			if l := listenerOf(fd); l != nil && wanted(l) {
				found = l
				unix.Close(fd)
				continue
			} else if l != nil {
				l.Close()
			}
		}
		rest = append(rest, fd)
	}
	return found, rest
}

// listenerOf is one with a copy of fd; nil where that is none.
func listenerOf(fd int) net.Listener {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	if is, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || is == 0 {
		unix.Close(own)
		return nil
	}
	file := os.NewFile(uintptr(own), "control socket")
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		return nil
	}
	return l
}

// whoAnswers tells whether somebody listens at a path, and who.
func whoAnswers(path string) (pid int, answers bool) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, true // as far as is known
	}
	defer unix.Close(fd)
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOENT) {
		return 0, false
	}
	if cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
		pid = int(cred.Pid)
	}
	return pid, true
}

// Address is where it listens.
func (l *Listener) Address() Address { return l.address }

// FD is the socket, to be shown to another process; it stays the Listener's.
func (l *Listener) FD() (fd int, err error) {
	raw, err := l.Listener.(syscall.Conn).SyscallConn()
	if err != nil {
		return -1, err
	}
	return fd, raw.Control(func(own uintptr) { fd = int(own) })
}

// Close lets go of the socket and, where nobody else has it, of its path. It may be
// called again.
func (l *Listener) Close() (err error) {
	l.closing.Do(func() {
		err = l.Listener.Close()
		path := l.address.Path()
		if path == "" {
			return
		}
		if _, answers := whoAnswers(path); !answers {
			_ = unix.Unlink(path) // which may be given up, or another's to allow: the next start removes it then
		}
	})
	return err
}

// Alone is the directory of the path where nothing else is in it, so that it can do no
// harm to keep the right to remove what is in there; else empty.
func (l *Listener) Alone() string {
	path := l.address.Path()
	if path == "" {
		return ""
	}
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		return ""
	}
	return dir
}
