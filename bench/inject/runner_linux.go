package inject

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// runnerEnv is set in a process of this executable that is to become the program.
// It holds what the process needs to know: the fd of its end of the socket pair,
// the numbers of the watched calls.
const runnerEnv = "SLUICE_BENCH_INJECT_RUNNER"

// The filter is put on by the process that becomes the program, never by one that
// answers: the scheduler and os/exec make system calls that keep their P, and one
// that waits for its answer would keep the world from stopping, and the answer
// from being given.
func init() {
	if spec, ok := os.LookupEnv(runnerEnv); ok {
		_ = os.Unsetenv(runnerEnv)
		run(spec)
	}
}

// asRunner makes cmd a process of this executable that becomes what cmd was.
func asRunner(cmd *exec.Cmd, calls []uintptr, end *os.File) {
	cmd.ExtraFiles = append(cmd.ExtraFiles, end)
	spec := strconv.Itoa(2 + len(cmd.ExtraFiles)) // ExtraFiles begin at 3
	for _, call := range calls {
		spec += " " + strconv.Itoa(int(call))
	}
	cmd.Env = append(cmd.Environ(), runnerEnv+"="+spec)
	cmd.Args = append([]string{os.Args[0], cmd.Path}, cmd.Args...)
	cmd.Path = "/proc/self/exe"
}

// run puts the filter on, hands it over and becomes the program, whose path and
// arguments are those of this process. It returns never.
func run(spec string) {
	runtime.LockOSThread()
	var numbers []uintptr
	for field := range strings.FieldsSeq(spec) {
		n, _ := strconv.Atoi(field)
		numbers = append(numbers, uintptr(n))
	}
	end := int(numbers[0])
	unix.CloseOnExec(end)
	listener, err := install(filter(numbers[1:]))
	if err == nil {
		var b [1]byte
		_, _ = unix.Write(end, []byte(strconv.Itoa(listener)))
		_, _ = unix.Read(end, b[:]) // until it is taken, since execve closes it
		err = syscall.Exec(os.Args[1], os.Args[2:], os.Environ())
	}
	_, _ = unix.Write(end, []byte(err.Error()))
	os.Exit(1)
}

// socketpair is two ends, the second of which blocks.
func socketpair() (pair [2]*os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return pair, os.NewSyscallError("socketpair", err)
	}
	_ = unix.SetNonblock(fds[0], true)
	for i, fd := range fds {
		pair[i] = os.NewFile(uintptr(fd), "socketpair")
	}
	return pair, nil
}

// takeFilter takes the filter's fd out of process pid.
func takeFilter(pid int, end *os.File) (int, error) {
	var b [256]byte
	n, err := end.Read(b[:])
	if err != nil {
		return -1, fmt.Errorf("watch system calls: %w", err)
	}
	theirs, err := strconv.Atoi(string(b[:n]))
	if err != nil {
		return -1, fmt.Errorf("watch system calls: %s", b[:n])
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(process)
	fd, err := unix.PidfdGetfd(process, theirs, 0)
	if err != nil {
		return -1, os.NewSyscallError("pidfd_getfd", err)
	}
	_, err = end.Write([]byte{0})
	return fd, err
}

// awaitProgram returns when the process has become the program, or says why not.
func awaitProgram(end *os.File) error {
	var b [256]byte
	n, err := end.Read(b[:])
	if errors.Is(err, io.EOF) {
		return nil // closed by execve
	}
	if err != nil {
		return err
	}
	return errors.New(string(b[:n]))
}
