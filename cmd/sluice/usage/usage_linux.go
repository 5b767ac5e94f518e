package usage

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Reader reads what this process takes, from any goroutine.
type Reader struct {
	mu    sync.Mutex // guards the place in fds
	statm *os.File   // nil: not there
	fds   *os.File   // likewise
}

// Open opens what Read reads. Without procfs, there is less to know.
func Open() *Reader {
	r := &Reader{}
	r.statm, _ = os.Open("/proc/self/statm")
	r.fds, _ = os.Open("/proc/self/fd")
	return r
}

// Close may be called again.
func (r *Reader) Close() error { return errors.Join(closeFile(r.statm), closeFile(r.fds)) }

func closeFile(f *os.File) error {
	if err := f.Close(); !errors.Is(err, os.ErrClosed) && !errors.Is(err, os.ErrInvalid) {
		return err
	}
	return nil
}

// Read returns what the process takes now.
func (r *Reader) Read() (u Usage) {
	var rusage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &rusage) == nil {
		u.CPU = time.Duration(rusage.Utime.Nano() + rusage.Stime.Nano())
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		u.FDLimit = int(min(limit.Cur, 1<<30))
	}
	u.Virtual, u.Memory = r.memory()
	u.FDs = r.open()
	return u
}

// memory reads statm (proc_pid_statm(5)): pages, of which the second number is
// resident.
func (r *Reader) memory() (virtual, resident uint64) {
	if r.statm == nil {
		return 0, 0
	}
	text := make([]byte, 128)
	n, err := r.statm.ReadAt(text, 0)
	fields := bytes.Fields(text[:n])
	if err != nil && err != io.EOF || len(fields) < 2 {
		return 0, 0
	}
	page := uint64(os.Getpagesize())
	virtual, _ = strconv.ParseUint(string(fields[0]), 10, 64)
	resident, _ = strconv.ParseUint(string(fields[1]), 10, 64)
	return virtual * page, resident * page
}

// open is how many fds are open. Linux 6.2 says so as the size of the directory
// (commit f1f1f2569901); before, its entries are counted, a microsecond each.
func (r *Reader) open() int {
	if r.fds == nil {
		return 0
	}
	if info, err := r.fds.Stat(); err == nil && info.Size() > 0 {
		return int(info.Size())
	}
	return r.entries()
}

// entries counts those of the directory.
func (r *Reader) entries() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.fds.Seek(0, io.SeekStart); err != nil {
		return 0
	}
	for {
		names, err := r.fds.Readdirnames(512)
		if n += len(names); err != nil {
			return n
		}
	}
}
