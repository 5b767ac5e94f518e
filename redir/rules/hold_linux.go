package rules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Hold goes on owning rules whose sluice is dead, for a process that kept them
// for it, so that no flush opens the gateway meanwhile. It calls Leave when the
// context ends, or when a process that wants to install or remove rules asks for
// them, of root or of the account that this one has.
func (i *Installed) Hold(ctx context.Context) error {
	l, err := i.lock.listen()
	if err != nil {
		return err
	}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		asker, err := l.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				asker.Close()
			}
			return i.Leave()
		case err != nil:
			return errors.Join(fmt.Errorf("rules: hold them: %w", err), i.Leave())
		case !mayAsk(asker):
			asker.Close()
			continue
		}
		err = i.Leave()
		l.Close()
		asker.Close() // the lock is free
		return err
	}
}

// listen turns the lock into a listener. It has the address as long as the lock.
func (l *lock) listen() (*net.UnixListener, error) {
	if err := unix.Listen(l.fd, 1); err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	fd, err := unix.FcntlInt(uintptr(l.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), lockName)
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	return listener.(*net.UnixListener), nil
}

func mayAsk(asker *net.UnixConn) bool {
	raw, err := asker.SyscallConn()
	if err != nil {
		return false
	}
	allowed := false
	_ = raw.Control(func(fd uintptr) {
		peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		allowed = err == nil && (peer.Uid == 0 || int(peer.Uid) == os.Geteuid())
	})
	return allowed
}

// handOverPatience bounds the wait for a process that holds the rules of a
// dead one. It does nothing but release them.
const handOverPatience = 2 * time.Second

// askHolder asks whoever has the lock to release it. It reports false where
// that lives for itself, and does not listen.
func askHolder() bool {
	conn, err := net.DialTimeout("unix", lockName, handOverPatience)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(handOverPatience))
	_, err = conn.Read(make([]byte, 1))
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}
