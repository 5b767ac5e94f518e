package rules

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// lockName is an abstract unix address. Such names belong to the network
// namespace, as the table does, and vanish with the process that holds them,
// also after a kill -9 and whatever its pid means elsewhere (unix(7)).
const lockName = "@sluice-rules"

// lock is held by the one process that may change the table.
type lock struct {
	fd   int
	once sync.Once
}

// takeLock takes the lock, from one who keeps it for the dead too (Hold). A
// *LivingError says that another has it.
func takeLock() (*lock, error) {
	l, err := bindLock()
	if errors.Is(err, unix.EADDRINUSE) && askHolder() {
		l, err = bindLock()
	}
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, &LivingError{Owner: tableOwner()}
	}
	return l, err
}

func bindLock() (*lock, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: lockName}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("rules: lock %s: %w", lockName, os.NewSyscallError("bind", err))
	}
	return &lock{fd: fd}, nil
}

func (l *lock) release() { l.once.Do(func() { unix.Close(l.fd) }) }
