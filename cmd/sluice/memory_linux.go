package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// gcPercent trades a little CPU for memory: what runs allocates little, so the
// collector has little to do, and its garbage need not be as large as the rest.
const gcPercent = 10

// settle gives back the memory that only starting up needed: garbage, and the
// pages of the program itself, of which those that are still used return from
// the page cache at the next touch.
func settle() error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	debug.FreeOSMemory()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer maps.Close()
	var clean span // the mapping being read, while nothing says that it is to stay
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		line := lines.Text()
		switch fields := strings.Fields(line); {
		case strings.HasSuffix(line, program):
			clean = mapping(fields[0], fields[1])
		case len(fields) == 3 && (fields[0] == "Anonymous:" || fields[0] == "Swap:") && fields[1] != "0":
			clean = span{} // relocated: its content is nowhere else
		case len(fields) > 0 && fields[0] == "VmFlags:" && clean.to > clean.from:
			if _, _, errno := unix.Syscall(unix.SYS_MADVISE, clean.from, clean.to-clean.from, unix.MADV_DONTNEED); errno != 0 {
				return os.NewSyscallError("madvise", errno)
			}
			clean = span{}
		}
	}
	return nil
}

// span is a range of addresses.
type span struct{ from, to uintptr }

// mapping is the span from-to of smaps, or none if it can be written to.
func mapping(addresses, permissions string) span {
	var s span
	if n, _ := fmt.Sscanf(addresses, "%x-%x", &s.from, &s.to); n != 2 || strings.Contains(permissions, "w") {
		return span{}
	}
	return s
}
