package compare

import (
	"bytes"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// thisMachine describes where it runs. What cannot be found out stays empty.
func thisMachine() Machine {
	m := Machine{CPUs: runtime.NumCPU(), FileLimit: fileLimit()}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range bytes.Lines(text) {
			if name, value, ok := bytes.Cut(line, []byte(":")); ok && string(bytes.TrimSpace(name)) == "model name" {
				m.CPU = string(bytes.TrimSpace(value))
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		m.Memory = kilobytes(text, "MemTotal:")
	}
	if text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control"); err == nil {
		m.TCP = string(bytes.TrimSpace(text))
	}
	return m
}
