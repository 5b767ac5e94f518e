package torture

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process reads /proc about one process (proc_pid(5)).
type process int

func (p process) path(name string) string { return filepath.Join("/proc", strconv.Itoa(int(p)), name) }

// fds is the number of open fds.
func (p process) fds() int {
	entries, _ := os.ReadDir(p.path("fd")) // none once it has ended
	return len(entries)
}

// fdLimit is the soft limit of open files.
func (p process) fdLimit() int {
	text, _ := os.ReadFile(p.path("limits"))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// rss is the resident set in MB.
func (p process) rss() float64 {
	text, _ := os.ReadFile(p.path("status"))
	n, _ := strconv.ParseFloat(strings.TrimSuffix(statusField(string(text), "VmRSS"), " kB"), 64)
	return n * 1024 / 1e6
}

// statusField is the value of a line of a status file.
func statusField(text, field string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// threads are the status files of all threads.
func (p process) threads() []string {
	var all []string
	files, _ := filepath.Glob(p.path("task/*/status"))
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			all = append(all, string(text))
		}
	}
	return all
}

// cpu is the time that the process has been running on a CPU, all threads: first
// field of schedstat, in ns.
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
