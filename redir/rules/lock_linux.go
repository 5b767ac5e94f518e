package rules

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

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

// lockPatience bounds the wait for a lock whose holder owns no rules: it is
// about to end, or a program that was just forked holds a copy until it is
// another (exec closes it).
const lockPatience = time.Second

// takeLock takes the lock, from one who keeps it for the dead too (Hold). A
// *LivingError says that another has it.
func takeLock() (*lock, error) {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		l, err := bindLock()
		if errors.Is(err, unix.EADDRINUSE) && askHolder() {
			l, err = bindLock()
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return l, err
		}
		if owner := tableOwner(); owner != "" && owner != ownerOperator || time.Since(began) > lockPatience {
			return nil, &LivingError{Owner: owner}
		}
	}
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
