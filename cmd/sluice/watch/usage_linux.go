package watch

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Usage tells what the process takes, also when confinement forbids to open a file.
// Any goroutine may use it.
type Usage struct{ pages *os.File } // /proc/self/statm (proc_pid_statm(5))

// OpenUsage opens what Usage reads.
func OpenUsage() (*Usage, error) {
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		return nil, fmt.Errorf("the memory in use: %w", err)
	}
	return &Usage{f}, nil
}

// Now is the time on the CPU since the process began, and how many bytes of it are
// resident; 0 where that is not to be had.
func (u *Usage) Now() (cpu time.Duration, memory uint64) {
	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &used) == nil {
		cpu = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	var text [128]byte
	n, err := u.pages.ReadAt(text[:], 0)
	if err != nil && err != io.EOF {
		return cpu, 0
	}
	if fields := strings.Fields(string(text[:n])); len(fields) > 1 {
		if resident, err := strconv.ParseUint(fields[1], 10, 64); err == nil {
			memory = resident * uint64(os.Getpagesize())
		}
	}
	return cpu, memory
}

// Close gives back what Usage reads from. Now may still be called.
func (u *Usage) Close() error { return u.pages.Close() }
