//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openFiles says how many fds there are of each kind, to explain a leak.
func (g *gateway) openFiles() string {
	kinds := map[string]int{}
	links, _ := filepath.Glob(g.Path("fd/*"))
	for _, link := range links {
		target, _ := os.Readlink(link)
		kind, _, _ := strings.Cut(target, ":[")
		kinds[kind]++
	}
	return fmt.Sprint(kinds)
}

// children are the ids of its child processes, zombies included, but for the
// keeper of its rules.
func (g *gateway) children() string {
	var all []string
	files, _ := filepath.Glob(g.Path("task/*/children"))
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

// assertIdle asserts that sluice takes less than a tenth of a CPU: nothing
// spins.
func (g *gateway) assertIdle(tb testing.TB) {
	tb.Helper()
	const watch = 500 * time.Millisecond
	start, before := time.Now(), g.CPU()
	pass(watch)
	if used, wall := g.CPU()-before, time.Since(start); used > wall/10 {
		tb.Errorf("took %v of CPU in %v without work", used, wall)
	}
}
