package confine

import (
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// hotCalls pass whatever their arguments are, and are those of which a relay
// makes many.
func (n Needs) hotCalls() []uint32 {
	hot := []uint32{
		unix.SYS_READ, unix.SYS_WRITE, unix.SYS_EPOLL_PWAIT, unix.SYS_RECVMMSG, unix.SYS_SENDMMSG, unix.SYS_SPLICE,
		unix.SYS_ACCEPT4, unix.SYS_CLOSE, unix.SYS_SETSOCKOPT, unix.SYS_EPOLL_CTL, unix.SYS_FUTEX,
	}
	if n.Rings {
		hot = append(hot, unix.SYS_IO_URING_ENTER)
	}
	return hot
}

// deniedCalls are those of every machine that fail with EPERM.
func (n Needs) deniedCalls() []uint32 {
	return slices.Concat(
		[]uint32{ // another program, and other processes
			unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_MEMFD_CREATE,
			unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP,
			unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO,
			unix.SYS_MIGRATE_PAGES, unix.SYS_MOVE_PAGES,
		},
		[]uint32{ // code and hooks in the kernel
			unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
			unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD,
		},
		n.ringCalls(),
		[]uint32{ // other namespaces, roots and mounts
			unix.SYS_SETNS, unix.SYS_UNSHARE, unix.SYS_CHROOT, unix.SYS_PIVOT_ROOT,
			unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_MOVE_MOUNT, unix.SYS_MOUNT_SETATTR, unix.SYS_OPEN_TREE,
			unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unified(467), // open_tree_attr
		},
		[]uint32{ // files, past Landlock
			unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_FANOTIFY_INIT, unix.SYS_MKNODAT,
			unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unified(452), unix.SYS_FCHOWN, unix.SYS_FCHOWNAT, // fchmodat2
			unix.SYS_UTIMENSAT, unified(412), unified(469), // utimensat_time64, file_setattr
			unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unified(463), // setxattrat
			unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR, unified(466), // removexattrat
		},
		[]uint32{ // the machine
			unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unified(443), // quotactl_fd
			unix.SYS_SYSLOG, unix.SYS_VHANGUP, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_PERSONALITY,
			unix.SYS_SETTIMEOFDAY, unix.SYS_ADJTIMEX, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME,
			unified(404), unified(405), // clock_settime64, clock_adjtime64
		},
		[]uint32{ // keys and shared memory
			unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
			unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_MSGGET, unix.SYS_SEMGET,
		},
	)
}

// ringCalls are those of io_uring, which carries out calls that no filter sees. Rings
// that are needed are there already, and what they may do was registered with them
// (io_uring_register(2) IORING_REGISTER_RESTRICTIONS): they are entered, and neither
// made nor changed.
func (n Needs) ringCalls() []uint32 {
	all := []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_REGISTER}
	if !n.Rings {
		all = append(all, unix.SYS_IO_URING_ENTER)
	}
	return all
}

// unified is a call numbered alike on all machines, which those from Linux 5.1
// on are (403 and later; 403 to 423 on 32-bit machines alone).
func unified(call uint32) uint32 {
	switch {
	case runtime.GOARCH == "mips" || runtime.GOARCH == "mipsle":
		return 4000 + call // __NR_Linux of o32
	case strings.HasPrefix(runtime.GOARCH, "mips64"):
		return 5000 + call // of n64
	}
	return call
}

// newestCall is the newest that deniedCalls was chosen among, of Linux 6.19.
const newestCall = unix.SYS_RSEQ_SLICE_YIELD
