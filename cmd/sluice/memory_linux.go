package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// gcPercent trades a little CPU for memory: what runs allocates little, so the
// collector has little to do, and its garbage need not be as large as the rest.
const gcPercent = 10

// memory is what settle reads, opened before confinement forbids it.
type memory struct {
	program string
	maps    *os.File // /proc/self/smaps (proc_pid_smaps(5)); nil: not there
}

func openMemory(log zerolog.Logger) (m memory) {
	var err error
	if m.program, err = os.Readlink("/proc/self/exe"); err == nil {
		m.maps, err = os.Open("/proc/self/smaps")
	}
	if err != nil {
		log.Debug().Err(err).Msg(memoryKept)
	}
	return m
}

const memoryKept = "the memory of starting up is kept"

// settle gives back the memory that only starting up needed: garbage, and the
// pages of the program itself, of which those that are still used return from
// the page cache at the next touch. It ends m.
func (m memory) settle(log zerolog.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	debug.FreeOSMemory()
	if m.maps == nil {
		return
	}
	defer m.maps.Close()
	if err := m.drop(); err != nil {
		log.Debug().Err(err).Msg(memoryKept)
	}
}

// drop drops the pages of the program.
func (m memory) drop() error {
	var clean span // the mapping being read, while nothing says that it is to stay
	for lines := bufio.NewScanner(m.maps); lines.Scan(); {
		line := lines.Text()
		switch fields := strings.Fields(line); {
		case strings.HasSuffix(line, m.program):
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
