package logging

import (
	"os"

	"golang.org/x/sys/unix"
)

// errorOutput is standard error, but that a line for which it has no room is
// left out: reactors log, and a reader that has stopped, a pager say or a
// terminal after Ctrl-S, must not stop them. A pipe that poll(2) calls writable
// takes a line of up to a page whole (pipe_poll in fs/pipe.c).
type errorOutput struct{ tally *tally }

func (o errorOutput) Write(line []byte) (int, error) {
	room := []unix.PollFd{{Fd: int32(os.Stderr.Fd()), Events: unix.POLLOUT}}
	if n, err := unix.Poll(room, 0); n == 0 && err == nil {
		o.tally.lost.Add(1)
		return len(line), nil
	}
	n, err := os.Stderr.Write(line)
	if err != nil {
		o.tally.lost.Add(1)
	} else {
		o.tally.written.Add(1)
	}
	return n, err
}
