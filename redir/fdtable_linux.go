package redir

import (
	"os"

	"golang.org/x/sys/unix"
)

// mostTableFDs bounds how many fds room is made for in advance: 1 MiB of the
// kernel's memory.
const mostTableFDs = 1 << 17

// growFDTable makes room for n fds in the process's table. The kernel would
// double it as fds are opened, each time with a wait for a grace period in which
// no thread of the process can open one (expand_fdtable in fs/file.c): some
// milliseconds, but half a second and more where CPUs are short, just when a
// flood of new sessions comes.
func growFDTable(n int) error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	defer unix.Close(fd)
	last, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, min(n, mostTableFDs)-1)
	if err != nil {
		return os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	return os.NewSyscallError("close", unix.Close(last))
}
