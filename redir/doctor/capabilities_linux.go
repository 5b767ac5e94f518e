package doctor

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// capabilities checks what this process may do; sluice needs the same.
func capabilities() Result {
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return Result{Name: "capabilities", Status: Warn, Detail: err.Error()}
	}
	return judgeCapabilities(string(status))
}

// judgeCapabilities reads the CapEff line of proc_pid_status(5).
func judgeCapabilities(status string) Result {
	j := judge{name: "capabilities"}
	var held uint64
	for line := range strings.Lines(status) {
		if text, ok := strings.CutPrefix(line, "CapEff:"); ok {
			held, _ = strconv.ParseUint(strings.TrimSpace(text), 16, 64)
		}
	}
	const remedy = "setcap cap_net_admin,cap_net_raw,cap_net_bind_service+ep $(command -v sluice)"
	for _, need := range []struct {
		bit    int
		name   string
		status Status
		why    string
	}{
		{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", Fail, "transparent sockets, marks, rules"},
		{unix.CAP_NET_RAW, "CAP_NET_RAW", Warn, "UDP replies from ports that a local service holds"},
		{unix.CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE", Fail, "UDP replies from ports below 1024"},
	} {
		if held&(1<<need.bit) == 0 {
			j.find(need.status, "lacks "+need.name+" ("+need.why+")", remedy)
		}
	}
	return j.result("CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE")
}
