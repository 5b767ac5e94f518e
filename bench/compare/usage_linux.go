package compare

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sluice/bench/program"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// tree lists a process and its descendants (/proc/PID/task/TID/children, proc(5)).
func tree(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, f := range files {
			text, _ := os.ReadFile(f) // a thread that has ended has none
			for _, field := range strings.Fields(string(text)) {
				if child, err := strconv.Atoi(field); err == nil {
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// threadTimes is the CPU time of each thread of a process tree, by its id.
func threadTimes(pid int) map[int]time.Duration {
	times := map[int]time.Duration{}
	for _, p := range tree(pid) {
		maps.Copy(times, program.Process(p).ThreadTimes())
	}
	return times
}

// spent is the CPU time between two readings of threadTimes. What a thread used
// before it ended is not in it.
func spent(before, after map[int]time.Duration) time.Duration {
	var sum time.Duration
	for thread, t := range after {
		sum += t - before[thread]
	}
	return sum
}

// machineTime is the busy time of all CPUs since boot: user, nice, system, irq and
// softirq of /proc/stat (proc_stat(5)).
func machineTime() (time.Duration, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, err
	}
	now, err := fs.Stat()
	all := now.CPUTotal // seconds
	return time.Duration((all.User + all.Nice + all.System + all.IRQ + all.SoftIRQ) * float64(time.Second)), err
}

// memory is what a process tree holds.
type memory struct {
	rss, pss uint64 // bytes; smaps_rollup
	fds      int
}

func readMemory(pid int) (memory, error) {
	var m memory
	var errs []error
	for _, p := range tree(pid) {
		process, err := procfs.NewProc(p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		held, err := process.ProcSMapsRollup()
		fds, fdErr := process.FileDescriptorsLen()
		errs = append(errs, err, fdErr)
		m.rss, m.pss, m.fds = m.rss+held.Rss, m.pss+held.Pss, m.fds+fds
	}
	return m, errors.Join(errs...)
}
