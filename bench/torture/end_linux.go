package torture

import (
	"time"

	"golang.org/x/sys/unix"
)

// endProcess kills a process by its pidfd, and waits until it has gone.
func endProcess(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // gone since
	}
	defer unix.Close(fd)
	if unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(patience/time.Millisecond))
	}
}
