package pressure

import (
	"math"
	"os"
)

// addCgroup adds what a cgroup and those below it use of memory.high or
// memory.max, whichever is less (Documentation/admin-guide/cgroup-v2.rst). What
// its sockets hold is part of memory.current. The limits may change.
func (w *Watch) addCgroup(dir, name string) {
	current := w.file(dir + "/memory.current")
	if current == nil {
		return // the root, or no memory controller
	}
	high, most, stat := w.file(dir+"/memory.high"), w.file(dir+"/memory.max"), w.file(dir+"/memory.stat")
	w.add("cgroup "+name, thresholds{tight: 0.75, notTight: 0.65, short: 0.94, notShort: 0.87}, func() (reading, bool) {
		bound := int64(math.MaxInt64)
		for _, f := range []*file{high, most} {
			if n, ok := number(f.text()); ok && n > 0 {
				bound = min(bound, n)
			}
		}
		used, ok := number(current.text())
		if !ok || bound == math.MaxInt64 {
			return reading{}, false
		}
		if used > bound/2 { // else it does not matter what it is
			text := stat.text()
			for _, cache := range []string{"inactive_file", "active_file", "slab_reclaimable"} {
				n, _ := field(text, cache)
				used -= n
			}
		}
		return reading{share(used, bound), bound}, true
	})
}

// addTCP adds what all TCP sockets of the machine hold, of the third number of
// tcp_mem (tcp(7), pages). From the second on, two thirds of it, the kernel lowers
// everybody's windows, so what need not be held is given back long before. In a
// network namespace of its own there is no tcp_mem: then it is what the kernel
// makes it, 3/32 of the memory (tcp_init_mem in net/ipv4/tcp.c).
func (w *Watch) addTCP() {
	usage, limits, meminfo := w.file("/proc/net/sockstat"), w.file("/proc/sys/net/ipv4/tcp_mem"), w.file("/proc/meminfo")
	if usage == nil || limits == nil && meminfo == nil {
		return
	}
	page := int64(os.Getpagesize())
	w.add("tcp_mem", thresholds{tight: 0.2, notTight: 0.1, short: 0.9, notShort: 0.6}, func() (reading, bool) {
		bound, ok := last(limits.text())
		if limits == nil {
			bound, ok = field(meminfo.text(), "MemTotal:")
			bound = bound << 10 / page * 3 / 32
		}
		held, found := labelled(usage.text(), "TCP:", "mem")
		if !ok || !found || bound <= 0 {
			return reading{}, false
		}
		return reading{share(int64(held), bound), bound * page}, true
	})
}

// addMachine adds what is used of the machine's memory and would not come back by
// itself (MemAvailable, proc_meminfo(5)).
func (w *Watch) addMachine() {
	meminfo := w.file("/proc/meminfo")
	if meminfo == nil {
		return
	}
	w.add("meminfo", thresholds{tight: 0.88, notTight: 0.82, short: 0.97, notShort: 0.94}, func() (reading, bool) {
		text := meminfo.text()
		total, ok := field(text, "MemTotal:")
		free, found := field(text, "MemAvailable:")
		if !ok || !found || total <= 0 {
			return reading{}, false
		}
		return reading{share(total-free, total), total << 10}, true
	})
}

// addStalls adds the share of the last ten seconds in which nothing in the cgroup
// could run, since all waited for memory (Documentation/accounting/psi.rst); of
// the machine where there is no such cgroup.
func (w *Watch) addStalls(cgroup string) {
	var stalls *file
	if cgroup != "" {
		stalls = w.file(cgroup + "/memory.pressure")
	}
	if stalls == nil {
		stalls = w.file("/proc/pressure/memory")
	}
	if stalls == nil {
		return
	}
	w.add("memory.pressure", thresholds{tight: 0.05, notTight: 0.02, short: 0.2, notShort: 0.1}, func() (reading, bool) {
		percent, ok := labelled(stalls.text(), "full", "avg10")
		return reading{share: percent / 100}, ok
	})
}

func (w *Watch) add(name string, at thresholds, read func() (reading, bool)) {
	w.gauges = append(w.gauges, &gauge{name: name, at: at, read: read})
}

func share(used, bound int64) float64 { return max(0, float64(used)/float64(bound)) }
