//go:build linux && (arm64 || loong64 || riscv64)

package confine

import "golang.org/x/sys/unix"

// deniedHere are calls that not every machine has.
func deniedHere() []uint32 { return []uint32{unix.SYS_KEXEC_FILE_LOAD} }

// mappingCalls map memory, with the protection as their third argument.
func mappingCalls() []uint32 { return []uint32{unix.SYS_MMAP} }
