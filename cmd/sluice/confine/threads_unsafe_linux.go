package confine

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// prctlAll is prctl(2) on every thread: its settings belong to threads, and a
// goroutine may run on any.
func prctlAll(option int, argument uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, uintptr(option), argument, 0, 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("prctl", errno)
	}
	return nil
}

// capsetAll makes set the permitted and effective capabilities of every
// thread, and the inheritable ones none.
func capsetAll(set Set) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3} // pid 0: the calling thread
	low, high := uint32(set), uint32(set>>32)
	halves := [2]unix.CapUserData{{Permitted: low, Effective: low}, {Permitted: high, Effective: high}}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&halves)), 0)
	if errno != 0 {
		return os.NewSyscallError("capset", errno)
	}
	return nil
}
