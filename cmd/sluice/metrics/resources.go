package metrics

import (
	"runtime/metrics"
	"strconv"
	"time"
)

func itoa(i int) string { return strconv.Itoa(i) }

// resources writes bounds, what of them is in use, and what the kernel gives.
func (p *page) resources(s *Snapshot) {
	limits, use, kernel := &s.Status.Limits, &s.Status.Use, &s.Status.Kernel
	p.gauge("sluice_limit_connections", "TCP connections that there may be.").number(limits.Connections)
	p.gauge("sluice_limit_sessions", "UDP sessions that there may be.").number(limits.Sessions)
	p.gauge("sluice_limit_fds", "File descriptors that sluice has shared out.").number(limits.FDs)
	p.gauge("sluice_limit_pipes", "Pipes that there may be.").number(limits.Pipes)
	p.gauge("sluice_fds", "File descriptors that are open.").number(use.FDs)
	p.gauge("sluice_pipes", "Pipes that there are, by which connections are spliced.").number(use.Pipes)
	p.counter("sluice_pipes_denied_total", "Times that the kernel has granted no pipe, and bytes were copied.").is(s.PipesDenied)
	p.gauge("sluice_pipe_size_bytes", "What the kernel has granted to a pipe last; 0: none was needed yet.").number(kernel.PipeSize)
	p.gauge("sluice_memory_short", "Whether memory is short, and nothing new begins.").holds(use.MemoryShort)
	p.gauge("sluice_kernel_info", "The kernel: always 1.").is(1, "release", kernel.Release)
	feature := p.gauge("sluice_kernel_feature", "Whether the kernel has what makes sluice faster.")
	feature.holds(kernel.GRO, "feature", "udp_gro")
	feature.holds(kernel.GSO, "feature", "udp_gso")
	p.gauge("sluice_confinements", "Ways by which the process is confined.").number(len(s.Status.Confined))
}

// process writes what every program writes, by the names that dashboards know.
func (p *page) process(s *Snapshot) {
	u := &s.Usage
	p.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.").seconds(u.CPU)
	p.gauge("process_resident_memory_bytes", "Resident memory size in bytes.").is(u.Memory)
	p.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.").is(u.Virtual)
	p.gauge("process_open_fds", "Number of open file descriptors.").number(u.FDs)
	p.gauge("process_max_fds", "Maximum number of open file descriptors.").number(u.FDLimit)
	p.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.").
		isFloat(float64(s.Status.Started.UnixMilli()) / float64(time.Second/time.Millisecond))
}

// runtimeMetrics are what the Go runtime says without stopping anything.
var runtimeMetrics = []struct{ source, kind, name, help string }{
	{"/sched/goroutines:goroutines", "gauge", "go_goroutines", "Number of goroutines that currently exist."},
	{"/memory/classes/heap/objects:bytes", "gauge", "go_memstats_heap_alloc_bytes", "Number of heap bytes allocated and currently in use."},
	{"/memory/classes/total:bytes", "gauge", "go_memstats_sys_bytes", "Number of bytes obtained from system."},
	{"/gc/cycles/total:gc-cycles", "counter", "go_gc_cycles_total", "Garbage collections that have ended."},
}

// runtime writes what the Go runtime says.
func (p *page) runtime() {
	samples := make([]metrics.Sample, len(runtimeMetrics))
	for i, m := range runtimeMetrics {
		samples[i].Name = m.source
	}
	metrics.Read(samples)
	for i, m := range runtimeMetrics {
		if samples[i].Value.Kind() == metrics.KindUint64 {
			p.family(m.kind, m.name, m.help).is(samples[i].Value.Uint64())
		}
	}
}

// records writes what becomes of records of flows.
func (p *page) records(s *Snapshot) {
	if len(s.Records) == 0 {
		return
	}
	written := p.counter("sluice_records_total", "Records of flows and lines that were written, by log.")
	for _, r := range s.Records {
		written.is(r.Written, "log", r.Log)
	}
	dropped := p.counter("sluice_records_dropped_total", "Those that were lost: there was no room, or writing has failed.")
	for _, r := range s.Records {
		dropped.is(r.Dropped, "log", r.Log)
	}
}
