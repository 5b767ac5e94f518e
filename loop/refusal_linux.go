package loop

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Refusal is why there is no ring.
type Refusal struct {
	Why    string
	Remedy string // a command that mends it, or after " #" what does; "": nothing is known
}

// String is both.
func (r Refusal) String() string {
	if r.Remedy == "" {
		return r.Why
	}
	return r.Why + ": " + r.Remedy
}

// RingRefusal explains an error of Group.UseRings or TryRing.
func RingRefusal(err error) Refusal {
	switch {
	case errors.Is(err, unix.ENOSYS):
		if _, has := ringsDisabled(); has {
			return filtered()
		}
		return Refusal{"the kernel has no io_uring (CONFIG_IO_URING), or a filter of system calls (seccomp) hides it", ""}
	case errors.Is(err, unix.EINVAL):
		return Refusal{"io_uring of this kernel cannot do what sluice asks of it", "uname -r  # Linux 5.18 or later can"}
	case errors.Is(err, unix.EPERM):
		return forbidden()
	case errors.Is(err, unix.EACCES):
		return Refusal{"a security module of the kernel forbids io_uring (SELinux: io_uring allowed)", "ausearch -m avc  # its policy has to allow it"}
	case errors.Is(err, unix.ENOMEM):
		return outOfMemory()
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return Refusal{"there are no more file descriptors", "systemctl edit sluice  # [Service] LimitNOFILE=1048576; in a shell: ulimit -Hn 1048576"}
	}
	return Refusal{err.Error(), ""}
}

// ringsDisabled is kernel.io_uring_disabled, of Linux 6.6; no kernel without io_uring
// has it (io_uring/io_uring.c).
func ringsDisabled() (value string, has bool) {
	text, err := os.ReadFile("/proc/sys/kernel/io_uring_disabled")
	return strings.TrimSpace(string(text)), err == nil
}

// forbidden tells what answers EPERM: the sysctl, or a filter, which io_uring_setup(2)
// names both. Where both do, the sysctl is to be changed first.
func forbidden() Refusal {
	switch value, _ := ringsDisabled(); value {
	case "", "0":
		return filtered()
	case "1": // neither CAP_SYS_ADMIN nor the group
		return Refusal{"kernel.io_uring_disabled is 1, which leaves io_uring to root and the group of kernel.io_uring_group", allowRings}
	default:
		return Refusal{"kernel.io_uring_disabled is " + value, allowRings}
	}
}

const allowRings = "sysctl -w kernel.io_uring_disabled=0"

func filtered() Refusal {
	return Refusal{"a filter of system calls (seccomp), a container's or a unit's, forbids io_uring",
		"systemctl edit sluice  # [Service] SystemCallFilter=io_uring_setup io_uring_enter io_uring_register; a container: --security-opt seccomp=FILE, a profile that allows them"}
}

// outOfMemory tells of locked memory, as which rings count for who lacks CAP_IPC_LOCK:
// all those of a user together (io_uring/memmap.c, __io_account_mem).
func outOfMemory() Refusal {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil || limit.Cur == unix.RLIM_INFINITY {
		return Refusal{"the kernel has no memory for a ring", ""}
	}
	return Refusal{fmt.Sprintf("locked memory, as which rings count, is used up: all of a user's may be %d KiB", limit.Cur>>10),
		"systemctl edit sluice  # [Service] LimitMEMLOCK=64M; in a shell: ulimit -l 65536"}
}
