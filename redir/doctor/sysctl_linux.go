package doctor

import (
	"os"
	"strconv"
	"strings"
)

// sysctl reads a setting by its path below /proc/sys. It reports false when
// there is none: a feature that is absent, or a setting that only the first
// network namespace has.
func sysctl(path string) (int64, bool) {
	text, err := os.ReadFile("/proc/sys/" + path)
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(text))
	if len(fields) == 0 {
		return 0, false
	}
	value, err := strconv.ParseInt(fields[len(fields)-1], 10, 64)
	return value, err == nil
}

// setCommand is the remedy that sets it. sysctl(8) takes the path form, which
// stays right when an interface's name has a dot.
func setCommand(path string, value int64) string {
	name := path
	if !strings.Contains(path, ".") {
		name = strings.ReplaceAll(path, "/", ".")
	}
	return "sysctl -w " + name + "=" + strconv.FormatInt(value, 10)
}
