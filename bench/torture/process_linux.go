package torture

import (
	"os"
	"path/filepath"
	"sluice/bench/program"
	"strings"
)

// statusField is the value of a line of a status file.
func statusField(text, field string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// threads are the status files of all threads (proc_pid_status(5)).
func threads(p program.Process) []string {
	var all []string
	files, _ := filepath.Glob(p.Path("task/*/status"))
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			all = append(all, string(text))
		}
	}
	return all
}

// rss is the resident set in MB.
func (p *sluice) rss() float64 { return float64(p.Memory()) / 1e6 }
