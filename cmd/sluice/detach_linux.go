package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// errNotReady says that what it started has ended, and why it has said itself.
var errNotReady = errors.New("--detach: sluice ended before it was ready")

// detach runs the same command in the background, and returns when that is ready,
// of which it learns as a service manager would, or has ended.
func detach() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("@sluice-detach-%d", os.Getpid())
	bus, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("--detach: %w", err)
	}
	defer bus.Close()
	if err := passCredentials(bus); err != nil {
		return fmt.Errorf("--detach: %w", err)
	}
	child := exec.Command(program, withoutDetach(os.Args[1:])...)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.Env = append(slices.DeleteFunc(os.Environ(), ofManager), "NOTIFY_SOCKET="+name)
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return fmt.Errorf("--detach: %w", err)
	}
	ready := make(chan error, 2)
	go func() {
		_ = child.Wait()
		ready <- errNotReady
	}()
	go func() { ready <- hearReady(bus, child.Process.Pid) }()
	return <-ready
}

// withoutDetach leaves the flag out.
func withoutDetach(args []string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
		return arg == "--detach" || strings.HasPrefix(arg, "--detach=")
	})
}

// ofManager tells whether a variable is meant for the main process of a service.
func ofManager(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return name == "NOTIFY_SOCKET" || name == "WATCHDOG_USEC" || name == "WATCHDOG_PID"
}

// passCredentials has the kernel say who sends.
func passCredentials(bus *net.UnixConn) error {
	raw, err := bus.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) }); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt SO_PASSCRED", inner)
}

// hearReady waits until the process says READY=1.
func hearReady(bus *net.UnixConn, pid int) error {
	text, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	for {
		n, controls, _, _, err := bus.ReadMsgUnix(text, control)
		if err != nil {
			return fmt.Errorf("--detach: %w", err)
		}
		messages, err := unix.ParseSocketControlMessage(control[:controls])
		if err != nil || len(messages) != 1 {
			continue
		}
		sender, err := unix.ParseUnixCredentials(&messages[0])
		if err == nil && int(sender.Pid) == pid && slices.Contains(strings.Split(string(text[:n]), "\n"), "READY=1") {
			return nil
		}
	}
}
