//go:build linux && (386 || mips64 || mips64le || ppc64 || ppc64le || s390x)

package confine

import "golang.org/x/sys/unix"

// deniedHere are calls that not every machine has. 386 and s390x make sockets
// by socketcall(2) too, whose arguments no filter sees.
func deniedHere() []uint32 {
	return []uint32{
		unix.SYS_FORK, unix.SYS_MKNOD, unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN,
		unix.SYS_UTIME, unix.SYS_UTIMES, unix.SYS_FUTIMESAT,
	}
}

// mappingCalls are none: here some take their arguments from memory.
func mappingCalls() []uint32 { return nil }
