package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Least values that do not hold a busy gateway back.
const (
	wantFiles       = 65536   // two fds for each connection, one for each UDP session
	wantPipePages   = 16384   // pages: 64 pipes of 1 MiB, the kernel's default
	wantPipeBytes   = 1 << 20 // the kernel's default of pipe-max-size
	wantBufferBytes = 4 << 20 // what sluice asks of a UDP socket under load
)

// conntrack's table: when it is full, new flows are dropped.
func conntrack() Result {
	count, counted := sysctl("net/netfilter/nf_conntrack_count")
	limit, limited := sysctl("net/netfilter/nf_conntrack_max")
	if !counted || !limited || limit == 0 {
		return ok("conntrack", "not in use")
	}
	return judgeConntrack(count, limit)
}

func judgeConntrack(count, limit int64) Result {
	j := judge{name: "conntrack"}
	fill := fmt.Sprintf("%d of %d entries in use", count, limit)
	remedy := setCommand("net/netfilter/nf_conntrack_max", 2*limit)
	switch {
	case count*100 >= limit*95:
		j.find(Fail, fill+": new flows are dropped", remedy)
	case count*100 >= limit*75:
		j.find(Warn, fill, remedy)
	case limit < 65536:
		j.find(Warn, fill+", which is few for a gateway", setCommand("net/netfilter/nf_conntrack_max", 262144))
	}
	return j.result(fill)
}

// files is the fd limit.
func files() Result {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return Result{Name: "open files", Status: Warn, Detail: err.Error()}
	}
	return judgeFiles(limit.Max)
}

func judgeFiles(hard uint64) Result {
	j := judge{name: "open files"}
	if hard < wantFiles {
		j.find(Warn, fmt.Sprintf("hard limit %d carries about %d connections", hard, hard/2),
			"systemctl edit sluice  # [Service] LimitNOFILE=1048576; in a shell: ulimit -Hn 1048576")
	}
	return j.result(fmt.Sprintf("hard limit %d", hard))
}

// pipes carry bulk TCP.
func pipes() Result {
	soft, softKnown := sysctl("fs/pipe-user-pages-soft")
	size, sizeKnown := sysctl("fs/pipe-max-size")
	if !softKnown || !sizeKnown {
		return ok("pipes", "limits not readable")
	}
	return judgePipes(soft, size)
}

// judgePipes: 0 pages means no limit (proc_sys_fs(5)).
func judgePipes(softPages, maxBytes int64) Result {
	j := judge{name: "pipes"}
	if softPages != 0 && softPages < wantPipePages {
		j.find(Warn, fmt.Sprintf("pipe-user-pages-soft %d: bulk TCP falls back to copying", softPages), setCommand("fs/pipe-user-pages-soft", wantPipePages))
	}
	if maxBytes < wantPipeBytes {
		j.find(Warn, fmt.Sprintf("pipe-max-size %d: bulk TCP moves in small steps", maxBytes), setCommand("fs/pipe-max-size", wantPipeBytes))
	}
	return j.result(fmt.Sprintf("pipe-user-pages-soft %d, pipe-max-size %d", softPages, maxBytes))
}

// buffers are the ceilings of socket buffers, which hold UDP bursts.
func buffers() Result {
	receive, receiveKnown := sysctl("net/core/rmem_max")
	send, sendKnown := sysctl("net/core/wmem_max")
	if !receiveKnown || !sendKnown {
		return ok("socket buffers", "ceilings not readable here (net.core.rmem_max, wmem_max)")
	}
	return judgeBuffers(receive, send)
}

func judgeBuffers(receive, send int64) Result {
	j := judge{name: "socket buffers"}
	if receive < wantBufferBytes {
		j.find(Warn, fmt.Sprintf("rmem_max %d: bursts of UDP are lost under load", receive), setCommand("net/core/rmem_max", wantBufferBytes))
	}
	if send < wantBufferBytes {
		j.find(Warn, fmt.Sprintf("wmem_max %d", send), setCommand("net/core/wmem_max", wantBufferBytes))
	}
	return j.result(fmt.Sprintf("rmem_max %d, wmem_max %d", receive, send))
}
