package torture

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// place is one of the CPUs that this process may use.
type place int

// Places: one CPU each, two where there are two.
const (
	firstCPU place = iota
	lastCPU
)

// onCPU is a program that keeps another on one CPU (taskset execs it).
func onCPU(where place) []string {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	chosen := -1
	for cpu := range len(set) * strconv.IntSize {
		if set.IsSet(cpu) && (chosen < 0 || where == lastCPU) {
			chosen = cpu
		}
	}
	return []string{"taskset", "--cpu-list", strconv.Itoa(chosen)}
}
