package program

import (
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/procfs"
)

// Process is a process by its id. What has ended has and takes nothing: its
// numbers are 0.
type Process int

// Path is that of a file about the process (proc_pid(5)).
func (p Process) Path(name string) string {
	return filepath.Join(procfs.DefaultMountPoint, strconv.Itoa(int(p)), name)
}

// look is what procfs knows of it.
func (p Process) look() (procfs.Proc, bool) {
	found, err := procfs.NewProc(int(p))
	return found, err == nil
}

// FDs is the number of open fds.
func (p Process) FDs() int {
	found, ok := p.look()
	if !ok {
		return 0
	}
	n, _ := found.FileDescriptorsLen()
	return n
}

// FDLimit is the soft limit of open files.
func (p Process) FDLimit() int {
	found, ok := p.look()
	if !ok {
		return 0
	}
	limits, _ := found.Limits()
	return int(min(limits.OpenFiles, 1<<30))
}

// Memory is the resident set in bytes.
func (p Process) Memory() int {
	found, ok := p.look()
	if !ok {
		return 0
	}
	status, _ := found.NewStatus()
	return int(status.VmRSS)
}

// Threads is how many it has.
func (p Process) Threads() int {
	all, _ := procfs.AllThreads(int(p))
	return len(all)
}

// ThreadTimes is how long each thread has been running on a CPU, by its id. What
// has ended is not in it.
func (p Process) ThreadTimes() map[int]time.Duration {
	times := map[int]time.Duration{}
	all, _ := procfs.AllThreads(int(p))
	for _, thread := range all {
		if spent, err := thread.Schedstat(); err == nil {
			times[thread.PID] = time.Duration(spent.RunningNanoseconds)
		}
	}
	return times
}

// CPU is how long its present threads have been running on a CPU.
func (p Process) CPU() (sum time.Duration) {
	for _, t := range p.ThreadTimes() {
		sum += t
	}
	return sum
}
