package splice

import (
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkBulk moves one stream through a relay whose reactor has a thread of its own. cpu-ms/GB is that thread's alone,
// pumps/GB counts its turns.
func BenchmarkBulk(b *testing.B) {
	for _, v := range []struct {
		name string
		c    Config
	}{
		{"copy", Config{Mode: Copy}},
		{"copy256k", Config{Mode: Copy, BufferSize: 256 << 10}},
		{"splice64k", Config{Mode: Splice, PipeSize: 64 << 10}},
		{"splice256k", Config{Mode: Splice}},
		{"splice1m", Config{Mode: Splice, PipeSize: 1 << 20}},
		{"auto", Config{}},
		{"auto1m", Config{PipeSize: 1 << 20}},
	} {
		b.Run(v.name, func(b *testing.B) { bulk(b, v.c) })
	}
}

func bulk(b *testing.B, c Config) {
	const chunk = 1 << 20
	g := newRig(b, "tcp4", c)
	g.client.SetDeadline(time.Time{})
	g.server.SetDeadline(time.Time{})
	g.runOnThread()
	data := pattern(30, chunk)
	b.SetBytes(chunk)
	var sink sync.WaitGroup
	sink.Add(1)
	go func() {
		defer sink.Done()
		buf := make([]byte, 256<<10)
		for {
			if _, err := g.server.Read(buf); err != nil {
				return
			}
		}
	}()
	before, pumps := g.cpu(), g.pumps.Load()
	for b.Loop() {
		if _, err := g.client.Write(data); err != nil {
			b.Fatal(err)
		}
	}
	g.client.CloseWrite()
	sink.Wait()
	gb := float64(b.N) * chunk / 1e9
	b.ReportMetric(float64(g.cpu()-before)/1e6/gb, "cpu-ms/GB")
	b.ReportMetric(float64(g.pumps.Load()-pumps)/gb, "pumps/GB")
	if moved := g.w.copied + g.w.spliced; moved > 0 {
		b.ReportMetric(float64(g.w.spliced)/float64(moved), "spliced")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPingPong is one small request and its reply, closed loop.
func BenchmarkPingPong(b *testing.B) {
	for mode, name := range []string{"auto", "copy", "splice"} {
		for _, size := range []int{100, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				w := NewWorkspace(Config{Mode: Mode(mode)})
				defer w.Close()
				s := newStill(b, "tcp4", w)
				data, into := pattern(31, size), make([]byte, size)
				for b.Loop() {
					s.round(b, data, into)
				}
			})
		}
	}
}

// BenchmarkConnection is a connection from Start to Finished: request, reply, both ends, without connecting and closing.
func BenchmarkConnection(b *testing.B) {
	w := NewWorkspace(Config{})
	for b.Loop() {
		b.StopTimer()
		s := newStill(b, "unix", w)
		s.client.Write([]byte("request"))
		b.StartTimer()
		s.relay.Notify(A, In)
		s.relay.Pump()
		b.StopTimer()
		s.serv.Write([]byte("reply"))
		s.serv.CloseWrite()
		b.StartTimer()
		s.relay.Notify(B, In|InHangUp)
		s.relay.Pump()
		b.StopTimer()
		s.client.CloseWrite()
		b.StartTimer()
		s.relay.Notify(A, In|InHangUp)
		if s.relay.Pump() != Finished {
			b.Fatal("not finished")
		}
		b.StopTimer()
		io.ReadAll(s.client)
		s.client.Close()
		s.serv.Close()
		b.StartTimer()
	}
}

// runOnThread is run with the driver locked to a thread, whose CPU time cpu reads.
func (g *rig) runOnThread() {
	g.run()
	g.on(runtime.LockOSThread)
	g.on(func() { g.tid = unix.Gettid() })
}

// cpu is what the driver's thread has used, in ns.
func (g *rig) cpu() int64 {
	var ts unix.Timespec
	clock := int32(^g.tid<<3 | 6) // CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED of that thread, as pthread_getcpuclockid(3) builds it
	must(g.tb, unix.ClockGettime(clock, &ts))
	return ts.Nano()
}
