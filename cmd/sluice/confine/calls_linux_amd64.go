package confine

import "golang.org/x/sys/unix"

// deniedHere are calls that not every machine has.
func deniedHere() []uint32 {
	return []uint32{
		unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_USELIB, unix.SYS_MKNOD, unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN,
		unix.SYS_UTIME, unix.SYS_UTIMES, unix.SYS_FUTIMESAT, unix.SYS_KEXEC_FILE_LOAD,
		unix.SYS_IOPERM, unix.SYS_IOPL, unix.SYS_MODIFY_LDT,
	}
}

// mappingCalls map memory, with the protection as their third argument.
func mappingCalls() []uint32 { return []uint32{unix.SYS_MMAP} }
