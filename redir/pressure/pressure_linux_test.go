package pressure

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// machine is a directory with files as the kernel has them.
type machine string

func (m machine) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(string(m), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine(t.TempDir())
	m.write(t, "proc/self/cgroup", "0::/system.slice/sluice.service\n")
	m.memory(t, 500)
	m.write(t, "proc/net/sockstat", "sockets: used 9\nTCP: inuse 5 orphan 0 tw 0 alloc 7 mem 1\nUDP: inuse 0 mem 0\n")
	m.write(t, "proc/sys/net/ipv4/tcp_mem", "600\t800\t1000\n")
	m.cgroup(t, "system.slice/sluice.service", 100<<20, "max", 0)
	m.cgroup(t, "system.slice", 100<<20, "max", 0)
	m.write(t, "proc/pressure/memory", "some avg10=99.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=99.00 avg60=0.00 avg300=0.00 total=0\n")
	m.stalls(t, "0.00")
	return m
}

// memory says how much of 1,000 MiB is available.
func (m machine) memory(t *testing.T, available int) {
	m.write(t, "proc/meminfo", fmt.Sprintf("MemTotal:  %d kB\nMemFree:  1 kB\nMemAvailable:  %d kB\n", 1000<<10, available<<10))
}

func (m machine) cgroup(t *testing.T, name string, current int, most string, cache int) {
	dir := "sys/fs/cgroup/" + name + "/"
	m.write(t, dir+"memory.current", fmt.Sprintln(current))
	m.write(t, dir+"memory.high", "max\n")
	m.write(t, dir+"memory.max", most+"\n")
	m.write(t, dir+"memory.stat", fmt.Sprintf("anon 4096\ninactive_file %d\nactive_file 0\nslab_reclaimable 0\n", cache))
}

func (m machine) stalls(t *testing.T, percent string) {
	m.write(t, "sys/fs/cgroup/system.slice/sluice.service/memory.pressure",
		"some avg10=90.00 avg60=0.00 avg300=0.00 total=0\nfull avg10="+percent+" avg60=0.00 avg300=0.00 total=0\n")
}

func TestLook(t *testing.T) {
	const own = "system.slice/sluice.service"
	sockstat := func(t *testing.T, m machine, pages int) {
		m.write(t, "proc/net/sockstat", fmt.Sprintf("TCP: inuse 5 orphan 0 tw 0 alloc 7 mem %d\n", pages))
	}
	for name, c := range map[string]struct {
		gauge string
		tight func(*testing.T, machine)
		short func(*testing.T, machine)
		less  func(*testing.T, machine) // below where short began, and not well below
		calm  func(*testing.T, machine)
	}{
		"the machine": {"meminfo",
			func(t *testing.T, m machine) { m.memory(t, 100) }, func(t *testing.T, m machine) { m.memory(t, 20) },
			func(t *testing.T, m machine) { m.memory(t, 50) }, func(t *testing.T, m machine) { m.memory(t, 500) }},
		"TCP": {"tcp_mem",
			func(t *testing.T, m machine) { sockstat(t, m, 300) }, func(t *testing.T, m machine) { sockstat(t, m, 950) },
			func(t *testing.T, m machine) { sockstat(t, m, 700) }, func(t *testing.T, m machine) { sockstat(t, m, 10) }},
		"stalls": {"memory.pressure",
			func(t *testing.T, m machine) { m.stalls(t, "7.50") }, func(t *testing.T, m machine) { m.stalls(t, "20.00") },
			func(t *testing.T, m machine) { m.stalls(t, "15.25") }, func(t *testing.T, m machine) { m.stalls(t, "0.00") }},
		"the cgroup": {"cgroup /" + own,
			func(t *testing.T, m machine) { m.cgroup(t, own, 80<<20, "104857600", 0) },
			func(t *testing.T, m machine) { m.cgroup(t, own, 99<<20, "104857600", 0) },
			func(t *testing.T, m machine) { m.cgroup(t, own, 99<<20, "104857600", 10<<20) },
			func(t *testing.T, m machine) { m.cgroup(t, own, 99<<20, "104857600", 60<<20) }},
		"a cgroup above": {"cgroup /system.slice",
			func(t *testing.T, m machine) { m.cgroup(t, "system.slice", 80<<20, "104857600", 0) },
			func(t *testing.T, m machine) { m.cgroup(t, "system.slice", 99<<20, "104857600", 0) },
			func(t *testing.T, m machine) { m.cgroup(t, "system.slice", 90<<20, "104857600", 0) },
			func(t *testing.T, m machine) { m.cgroup(t, "system.slice", 99<<20, "max", 0) }},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			w := open(string(m))
			defer w.Close()
			for _, step := range []struct {
				do           func(*testing.T, machine)
				tight, short bool
			}{{nil, false, false}, {c.tight, true, false}, {c.short, true, true}, {c.less, true, true}, {c.calm, false, false}} {
				if step.do != nil {
					step.do(t, m)
				}
				s := w.Look()
				if s.Tight != step.tight || s.Short != step.short || s.Short && s.Gauge != c.gauge {
					t.Errorf("%+v, want tight %v, short %v by %s", s, step.tight, step.short, c.gauge)
				}
			}
		})
	}
}

// What is not there is not looked at: without anything, memory is never short.
func TestNothingToLookAt(t *testing.T) {
	w := open(t.TempDir())
	defer w.Close()
	if s := w.Look(); s != (State{}) || len(w.Gauges()) != 0 {
		t.Errorf("%+v of %v", s, w.Gauges())
	}
}

// In a network namespace of its own, a process has no tcp_mem.
func TestTCPWithoutItsLimit(t *testing.T) {
	m := newMachine(t)
	if err := os.Remove(filepath.Join(string(m), "proc/sys/net/ipv4/tcp_mem")); err != nil {
		t.Fatal(err)
	}
	w := open(string(m))
	defer w.Close()
	if want := int64(1000<<20) * 3 / 32; w.Look().Bound/int64(os.Getpagesize()) != want/int64(os.Getpagesize()) {
		t.Errorf("bound %d, want %d", w.Look().Bound, want)
	}
}

// This machine has something to look at, opens nothing to look again, and stays
// cheap.
func TestThisMachine(t *testing.T) {
	w := Open()
	defer w.Close()
	if len(w.Gauges()) == 0 || w.Look().Bound == 0 {
		t.Errorf("gauges %v, %+v", w.Gauges(), w.Look())
	}
	if n := testing.AllocsPerRun(20, func() { w.Look() }); n > 300 {
		t.Errorf("%v allocations a look", n)
	}
}

func BenchmarkLook(b *testing.B) {
	w := Open()
	defer w.Close()
	b.ReportAllocs()
	for b.Loop() {
		w.Look()
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("TCP: inuse 5 mem 1\n"), "TCP:", "mem")
	f.Add([]byte("full avg10=0.25 total=9\n"), "full", "avg10")
	f.Add([]byte("MemTotal: 16 kB\n\n"), "MemTotal:", "")
	f.Fuzz(func(t *testing.T, text []byte, word, label string) {
		number(text)
		last(text)
		field(text, word)
		labelled(text, word, label)
	})
}
