package inject

import "golang.org/x/sys/unix"

// filter is a program that notifies of the calls and lets all others pass. It
// looks at the number alone (offset 0 of struct seccomp_data): the programs that
// it is for have one architecture.
func filter(calls []uintptr) []unix.SockFilter {
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}}
	for i, call := range calls {
		program = append(program, unix.SockFilter{
			Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K,
			Jt:   uint8(len(calls) - i), // over the rest and the verdict that allows
			K:    uint32(call),
		})
	}
	return append(program,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
}
