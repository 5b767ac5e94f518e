package rules

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkManyNetworks is how long it takes to make a plan of many networks, half
// of them of each family, to put it in place, to swap in another of as many, to
// look at it, and to take it away; and how many MiB of memory this process has at
// most (peak), and keeps.
func BenchmarkManyNetworks(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			gateway := newNetns(b)
			first, second := manyNetworks(n), manyNetworks(n+2)
			spec := func(to *Addrs) Spec {
				return Spec{TCPPort: proxyPort, UDPPort: proxyPort, Decisions: []Decision{{Forward: true, Dests: to}}}
			}
			took := func(what string, do func() error) {
				begin := time.Now()
				gateway.do(func() {
					if err := do(); err != nil {
						b.Error(err)
					}
				})
				b.ReportMetric(float64(time.Since(begin).Milliseconds()), what)
			}
			var one, two *Addrs
			took("ms-sets", func() error { one = NewAddrs(rangesOf(first)); return nil })
			two = NewAddrs(rangesOf(second))
			first, second = nil, nil
			runtime.GC()
			var i *Installed
			before := unreclaimed(b)
			took("ms-install", func() (err error) { i, err = Install(spec(one)); return err })
			b.ReportMetric(float64(unreclaimed(b)-before)/float64(one.v4.Len()+one.v6.Len()), "kernel-B/range")
			took("ms-replace", func() error { return i.Replace(spec(two)) })
			took("ms-status", func() error { _, err := ReadStatus(); return err })
			took("ms-look", func() error { _, _, err := i.mend(true); return err })
			took("ms-close", func() error { return i.Close() })
			var usage unix.Rusage
			_ = unix.Getrusage(unix.RUSAGE_SELF, &usage)
			b.ReportMetric(float64(usage.Maxrss>>10), "MiB-peak")
			runtime.GC()
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			b.ReportMetric(float64(stats.HeapAlloc>>20), "MiB-heap")
			b.ReportMetric(0, "ns/op")
			runtime.KeepAlive(two)
		})
	}
}

// unreclaimed is the memory of the kernel's own that it cannot give back, in bytes.
func unreclaimed(b *testing.B) int {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "SUnreclaim:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10
}
