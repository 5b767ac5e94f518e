//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// process reads /proc about one process (proc_pid(5)).
type process int

func (p process) path(name string) string { return filepath.Join("/proc", strconv.Itoa(int(p)), name) }

// fds is the number of open fds.
func (p process) fds() int {
	entries, _ := os.ReadDir(p.path("fd"))
	return len(entries)
}

// openFiles says how many fds there are of each kind, to explain a leak.
func (p process) openFiles() string {
	kinds := map[string]int{}
	links, _ := filepath.Glob(p.path("fd/*"))
	for _, link := range links {
		target, _ := os.Readlink(link)
		kind, _, _ := strings.Cut(target, ":[")
		kinds[kind]++
	}
	return fmt.Sprint(kinds)
}

// status is a number of /proc/PID/status: VmRSS (KiB), Threads.
func (p process) status(field string) int {
	text, _ := os.ReadFile(p.path("status"))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// memory is the resident set in bytes.
func (p process) memory() int { return p.status("VmRSS") << 10 }

// cpu is the time that the process has been running on a CPU, all threads:
// first field of schedstat, in ns.
func (p process) cpu() time.Duration {
	var sum time.Duration
	files, _ := filepath.Glob(p.path("task/*/schedstat"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if fields := strings.Fields(string(text)); len(fields) > 0 {
			n, _ := strconv.ParseInt(fields[0], 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}

// children are the ids of its child processes, zombies included, but for the
// keeper of its rules.
func (p process) children() string {
	var all []string
	files, _ := filepath.Glob(p.path("task/*/children"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, child := range strings.Fields(string(text)) {
			command, _ := os.ReadFile("/proc/" + child + "/cmdline")
			if !strings.HasPrefix(string(command), "sluice-keeper\x00") {
				all = append(all, child)
			}
		}
	}
	return strings.Join(all, " ")
}

// assertIdle asserts that the process takes less than a tenth of a CPU: nothing
// spins.
func (p process) assertIdle(tb testing.TB) {
	tb.Helper()
	const watch = 500 * time.Millisecond
	start, before := time.Now(), p.cpu()
	pass(watch)
	if used, wall := p.cpu()-before, time.Since(start); used > wall/10 {
		tb.Errorf("took %v of CPU in %v without work", used, wall)
	}
}
