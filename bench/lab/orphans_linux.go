package lab

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// removeOrphans removes the labs of processes that were killed before they could:
// the names that New makes up hold the process id.
func removeOrphans() {
	names, err := Names()
	if err != nil {
		return
	}
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, namePrefix)
		id, _, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(id)
		if !ok || err != nil || unix.Kill(pid, 0) != unix.ESRCH {
			continue
		}
		if l, err := Open(name); err == nil {
			_ = l.Close() // another test may be at the same orphan
		}
	}
}
