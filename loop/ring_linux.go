package loop

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// How a ring is set up (io_uring_setup(2)). Nothing that is submitted ever waits, so
// that what shapes how waiting requests complete (SINGLE_ISSUER, DEFER_TASKRUN) makes
// no difference; it was measured.
const (
	// ringFlags are IORING_SETUP_R_DISABLED, since restrictions are for a ring that is
	// disabled yet, and SUBMIT_ALL of Linux 5.18: one that fails does not keep the
	// rest from being submitted.
	ringFlags = 1<<6 | 1<<7

	registerEnable   = 12 // IORING_REGISTER_ENABLE_RINGS
	registerRestrict = 11 // IORING_REGISTER_RESTRICTIONS, of Linux 5.10
	allowOp          = 1  // IORING_RESTRICTION_SQE_OP
)

// The operations of a ring, and there are no others (IORING_OP_*).
const (
	opSendMsg = 9
	opRecvMsg = 10
	opSend    = 26
	opRecv    = 27
)

// newRing makes a ring that can do no more than send and receive: whoever gets hold of
// it in a confined process gains nothing by it.
func newRing(n int) (*ring, error) {
	r, err := setupRing(n)
	if err != nil {
		return nil, err
	}
	ops := []ringRestriction{{op: allowOp, which: opSendMsg}, {op: allowOp, which: opRecvMsg}, {op: allowOp, which: opSend}, {op: allowOp, which: opRecv}}
	if err := errors.Join(r.register(registerRestrict, ops), r.register(registerEnable, nil)); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// RingRefusal explains an error of Group.UseRings: what refuses it, and what to do.
func RingRefusal(err error) string {
	switch {
	case errors.Is(err, unix.ENOSYS):
		return "this kernel has no io_uring (CONFIG_IO_URING), or a filter of system calls hides it"
	case errors.Is(err, unix.EINVAL):
		return "io_uring of this kernel is too old: it takes Linux 5.18"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		const name = "/proc/sys/kernel/io_uring_disabled" // of Linux 6.6
		text, err := os.ReadFile(name)
		if value := strings.TrimSpace(string(text)); err == nil && value != "0" {
			return fmt.Sprintf("kernel.io_uring_disabled is %s: sysctl kernel.io_uring_disabled=0", value)
		}
		return "a filter of system calls (seccomp: a container's, or SystemCallFilter=) forbids io_uring_setup"
	case errors.Is(err, unix.ENOMEM):
		return "locked memory is used up, where the kernel counts rings as that: raise RLIMIT_MEMLOCK (LimitMEMLOCK=)"
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return "there are no more file descriptors"
	}
	return ""
}
