package compare

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
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

// threadTimes is the CPU time of each thread of a process tree, by "PID/TID": the
// first number of /proc/PID/task/TID/schedstat, in nanoseconds
// (Documentation/scheduler/sched-stats.rst).
func threadTimes(pid int) map[string]time.Duration {
	times := map[string]time.Duration{}
	for _, p := range tree(pid) {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p))
		for _, f := range files {
			text, _ := os.ReadFile(f)
			first, _, _ := bytes.Cut(text, []byte(" "))
			if ns, err := strconv.ParseInt(string(first), 10, 64); err == nil {
				times[fmt.Sprintf("%d/%s", p, filepath.Base(filepath.Dir(f)))] = time.Duration(ns)
			}
		}
	}
	return times
}

// spent is the CPU time between two readings of threadTimes. What a thread used
// before it ended is not in it.
func spent(before, after map[string]time.Duration) time.Duration {
	var sum time.Duration
	for thread, t := range after {
		sum += t - before[thread]
	}
	return sum
}

// clockTick is the unit of /proc/stat: USER_HZ is 100 on every Linux that Go runs on.
const clockTick = time.Second / 100

// machineTime is the busy time of all CPUs since boot: user, nice, system, irq and
// softirq of the first line of /proc/stat (proc(5)).
func machineTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return parseCPULine(string(line))
}

func parseCPULine(line string) (time.Duration, error) {
	fields := strings.Fields(line)
	if len(fields) < 8 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var ticks int64
	for _, i := range []int{1, 2, 3, 6, 7} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
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
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		m.rss += kilobytes(text, "Rss:")
		m.pss += kilobytes(text, "Pss:")
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p))
		errs = append(errs, err)
		m.fds += len(fds)
	}
	return m, errors.Join(errs...)
}

// kilobytes finds a line like "Rss:  1234 kB" and returns bytes.
func kilobytes(text []byte, name string) uint64 {
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			if f := bytes.Fields(rest); len(f) > 0 {
				n, _ := strconv.ParseUint(string(f[0]), 10, 64)
				return n << 10
			}
		}
	}
	return 0
}
