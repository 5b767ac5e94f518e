package confine

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Answers of the filter (linux/seccomp.h).
const (
	allow = uint32(unix.SECCOMP_RET_ALLOW)
	fails = uint32(unix.SECCOMP_RET_ERRNO) // with the errno in the low bits
)

// Offsets in struct seccomp_data (linux/seccomp.h).
const (
	offsetCall      = 0
	offsetMachine   = 4
	offsetArguments = 16 // 8 bytes each
)

func (n Needs) seccomp() (string, error) {
	machine, ok := auditMachine(runtime.GOARCH)
	if !ok {
		return "", fmt.Errorf("its name for %s is not known here", runtime.GOARCH)
	}
	program, err := bpf.Assemble(n.filter(machine, uint32(os.Getpid())))
	if err != nil {
		return "", err
	}
	return "seccomp", load(program)
}

// filter is the program for calls of this machine's own kind; another kind, as
// 32-bit calls of a 64-bit process, has none. From Linux 5.11 on, what passes
// whatever its arguments are passes without running it (seccomp_cache_prepare);
// before that, the calls of the hot path are let go first.
func (n Needs) filter(machine, pid uint32) []bpf.Instruction {
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetMachine, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: machine, SkipTrue: 1},
		bpf.RetConstant{Val: fails | uint32(unix.EPERM)},
		bpf.LoadAbsolute{Off: offsetCall, Size: 4},
	}
	for _, call := range n.hotCalls() {
		program = append(program, on(call, bpf.RetConstant{Val: allow})...)
	}
	for _, b := range n.bounded(pid) {
		program = append(program, on(b.call, b.judge...)...)
	}
	program = append(program, on(unix.SYS_CLONE3, bpf.RetConstant{Val: fails | uint32(unix.ENOSYS)})...)
	for _, call := range slices.Concat(n.deniedCalls(), deniedHere()) {
		program = append(program, on(call, bpf.RetConstant{Val: fails | uint32(unix.EPERM)})...)
	}
	if runtime.GOARCH != "arm" { // which has calls of its own far above (__ARM_NR_BASE)
		program = append(program,
			bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: newestCall, SkipTrue: 1},
			bpf.RetConstant{Val: fails | uint32(unix.ENOSYS)})
	}
	return append(program, bpf.RetConstant{Val: allow})
}

// on runs what judges a call, which always returns, where the call is that one.
// The call's number is loaded before and, where it is another, after.
func on(call uint32, judge ...bpf.Instruction) []bpf.Instruction {
	return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpEqual, Val: call, SkipFalse: uint8(len(judge))}}, judge...)
}

// bounded is a call that passes with some arguments.
type boundedCall struct {
	call  uint32
	judge []bpf.Instruction
}

// bounded are calls of which the kernel reads int arguments: their low words.
func (n Needs) bounded(pid uint32) []boundedCall {
	all := []boundedCall{
		{unix.SYS_SOCKET, n.sockets()},
		{unix.SYS_CLONE, unless(cloneFlags(), bpf.JumpBitsNotSet, unix.CLONE_THREAD)}, // no process of its own
		{unix.SYS_TGKILL, unless(0, bpf.JumpNotEqual, pid)},
		{unix.SYS_KILL, unless(0, bpf.JumpNotEqual, pid)},
		{unix.SYS_MPROTECT, unless(2, bpf.JumpBitsSet, unix.PROT_EXEC)},
		{unix.SYS_PKEY_MPROTECT, unless(2, bpf.JumpBitsSet, unix.PROT_EXEC)},
		// What writes into the terminal's input.
		{unix.SYS_IOCTL, append([]bpf.Instruction{
			loadArgument(1),
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.TIOCSTI, SkipTrue: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.TIOCLINUX, SkipTrue: 1},
		}, pass()...)},
	}
	for _, call := range mappingCalls() {
		all = append(all, boundedCall{call, unless(2, bpf.JumpBitsSet, unix.PROT_EXEC)})
	}
	return all
}

// unless lets a call pass but where the condition holds for an argument.
func unless(argument uint32, cond bpf.JumpTest, value uint32) []bpf.Instruction {
	return append([]bpf.Instruction{loadArgument(argument), bpf.JumpIf{Cond: cond, Val: value, SkipTrue: 1}}, pass()...)
}

// pass lets a call pass, or fail where it is jumped over.
func pass() []bpf.Instruction {
	return []bpf.Instruction{bpf.RetConstant{Val: allow}, bpf.RetConstant{Val: fails | uint32(unix.EPERM)}}
}

// sockets lets a socket be made of the families that sluice has, netlink's of
// the protocols that it needs.
func (n Needs) sockets() []bpf.Instruction {
	protocols := uint8(len(n.Netlink))
	judge := []bpf.Instruction{
		loadArgument(0),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: protocols + 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET6, SkipTrue: protocols + 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_UNIX, SkipTrue: protocols + 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_NETLINK, SkipTrue: protocols + 2},
		loadArgument(2),
	}
	for i, protocol := range n.Netlink {
		last := i == len(n.Netlink)-1
		jump := bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(protocol), SkipTrue: protocols - 1 - uint8(i)}
		if last {
			jump.SkipFalse = 1
		}
		judge = append(judge, jump)
	}
	return append(judge, bpf.RetConstant{Val: allow}, bpf.RetConstant{Val: fails | uint32(unix.EAFNOSUPPORT)})
}

// loadArgument loads the low word of an argument.
func loadArgument(i uint32) bpf.Instruction {
	offset := offsetArguments + 8*i
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 { // the high word comes first
		offset += 4
	}
	return bpf.LoadAbsolute{Off: offset, Size: 4}
}

// cloneFlags is which argument of clone(2) has the flags.
func cloneFlags() uint32 {
	if runtime.GOARCH == "s390x" {
		return 1
	}
	return 0
}

// auditMachine is the kernel's name of a GOARCH (linux/audit.h).
func auditMachine(goarch string) (machine uint32, ok bool) {
	machine, ok = map[string]uint32{
		"386": unix.AUDIT_ARCH_I386, "amd64": unix.AUDIT_ARCH_X86_64,
		"arm": unix.AUDIT_ARCH_ARM, "arm64": unix.AUDIT_ARCH_AARCH64,
		"loong64": unix.AUDIT_ARCH_LOONGARCH64, "riscv64": unix.AUDIT_ARCH_RISCV64,
		"mips": unix.AUDIT_ARCH_MIPS, "mipsle": unix.AUDIT_ARCH_MIPSEL,
		"mips64": unix.AUDIT_ARCH_MIPS64, "mips64le": unix.AUDIT_ARCH_MIPSEL64,
		"ppc64": unix.AUDIT_ARCH_PPC64, "ppc64le": unix.AUDIT_ARCH_PPC64LE, "s390x": unix.AUDIT_ARCH_S390X,
	}[goarch]
	return machine, ok
}
