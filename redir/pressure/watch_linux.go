package pressure

import (
	"os"
	"path"
	"strings"
)

// Watch looks at the gauges that this machine has. It belongs to one goroutine.
type Watch struct {
	root   string // "" but in tests
	gauges []*gauge
	files  []*file
}

// Open opens what there is. It never fails.
func Open() *Watch { return open("") }

// open is Open for files below root.
func open(root string) *Watch {
	w := &Watch{root: root}
	cgroup := w.addCgroups()
	w.addTCP()
	w.addMachine()
	w.addStalls(cgroup)
	return w
}

// Look reads all gauges.
func (w *Watch) Look() State { return look(w.gauges) }

// Gauges names what is looked at.
func (w *Watch) Gauges() (names []string) {
	for _, g := range w.gauges {
		names = append(names, g.name)
	}
	return names
}

// Close closes the files.
func (w *Watch) Close() {
	for _, f := range w.files {
		f.File.Close()
	}
}

// file is one that is read again and again.
type file struct {
	*os.File
	buffer []byte
}

// fileSize is more than the longest of the files has, in bytes (memory.stat: 2 KiB,
// meminfo: 1.5 KiB).
const fileSize = 8 << 10

// file opens one below the root; nil where that cannot be read.
func (w *Watch) file(name string) *file {
	opened, err := os.Open(w.root + name)
	if err != nil {
		return nil
	}
	f := &file{opened, make([]byte, fileSize)}
	if f.text() == nil {
		opened.Close()
		return nil
	}
	w.files = append(w.files, f)
	return f
}

// text is the file's present content, valid until the next call; nil: none.
func (f *file) text() []byte {
	if f == nil {
		return nil
	}
	n, _ := f.ReadAt(f.buffer, 0) // io.EOF, as it is shorter
	if n <= 0 {
		return nil
	}
	return f.buffer[:n]
}

const (
	cgroupMount = "/sys/fs/cgroup" // of version 2 (cgroups(7))
	// mostCgroups bounds how many cgroups are looked at, from the process' own up.
	mostCgroups = 8
)

// ownCgroup is the process' cgroup of version 2, as a path below the mount.
func (w *Watch) ownCgroup() (string, bool) {
	text, err := os.ReadFile(w.root + "/proc/self/cgroup")
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(text)) {
		if own, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path.Clean("/" + own), true
		}
	}
	return "", false
}

// addCgroups adds a gauge for each cgroup whose memory can be bounded, and returns
// the process' own; "" for none.
func (w *Watch) addCgroups() (own string) {
	name, ok := w.ownCgroup()
	if !ok {
		return ""
	}
	own = cgroupMount + strings.TrimSuffix(name, "/")
	for range mostCgroups {
		w.addCgroup(cgroupMount+strings.TrimSuffix(name, "/"), name)
		if name == "/" {
			break
		}
		name = path.Dir(name)
	}
	return own
}
