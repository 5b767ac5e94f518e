package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// endWait bounds the wait for one process to go after SIGKILL.
const endWait = 5 * time.Second

// endProcesses kills every process whose network namespace this is, by pidfd, and
// waits until each is gone (or a zombie, which holds no namespace).
func (ns *Namespace) endProcesses() error {
	pids, err := ns.Processes()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if pid == os.Getpid() {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // gone since
		}
		if err = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err == nil {
			err = waitReadable(fd, endWait)
		}
		unix.Close(fd)
		if err != nil && err != unix.ESRCH {
			return fmt.Errorf("%s: end process %d: %w", ns.Name, pid, err)
		}
	}
	return nil
}

// Processes lists the ids of the processes inside the namespace.
func (ns *Namespace) Processes() ([]int, error) {
	var own unix.Stat_t
	if err := unix.Fstat(int(ns.handle), &own); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(filepath.Join("/proc", e.Name(), "ns/net"), &st) == nil && st.Ino == own.Ino && st.Dev == own.Dev {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// waitReadable waits until a pidfd is readable: its process has ended (pidfd_open(2)).
func waitReadable(fd int, d time.Duration) error {
	deadline := time.Now().Add(d)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left/time.Millisecond)+1)
		if n == 1 || err != nil && err != unix.EINTR {
			return err
		}
	}
}
