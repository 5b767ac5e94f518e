package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"sluice/redir/record"
)

const (
	// batchBytes is how long a batch of lines becomes before it is written.
	batchBytes = 64 << 10
	// fileMode keeps from others who went where.
	fileMode = 0o640
)

// Lines writes JSON lines to a file.
type Lines struct {
	wall  wall
	batch bytes.Buffer
	json  zerolog.Logger // into batch
	count int            // lines of the batch
	torn  bool           // what was written last ends within a line

	path    string     // "": it cannot be opened again
	writing sync.Mutex // held while something is written, for however long that takes
	file    *os.File   // guarded by writing
	next    atomic.Pointer[os.File]

	counts counts
}

// Standard writes to standard output.
func Standard(source Source) *Lines { return newLines(source, "", os.Stdout) }

// OpenLines writes to the file at path, at its end. Where there is none, it is made
// and becomes that account's, by uid and gid; -1: the process' own.
func OpenLines(source Source, path string, uid, gid int) (*Lines, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Mode().IsRegular() {
		if info.Size() == 0 && uid >= 0 {
			err = file.Chown(uid, gid)
		}
	} else {
		path = "" // a pipe or a device stays what it is
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("--access-log: %w", err)
	}
	return newLines(source, path, file), nil
}

// open does not wait for the reader of a pipe.
func open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK|unix.O_NOCTTY, fileMode)
	switch {
	case errors.Is(err, syscall.ENXIO):
		return nil, fmt.Errorf("--access-log %s: nobody reads the pipe: start its reader first", path)
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("--access-log: %w: make its directory", err)
	case err != nil:
		return nil, fmt.Errorf("--access-log: %w", err)
	}
	return file, nil
}

func newLines(source Source, path string, file *os.File) *Lines {
	l := &Lines{wall: source.Wall, path: path, file: file}
	l.json = zerolog.New(&l.batch)
	return l
}

// Put adds a line.
func (l *Lines) Put(r *record.Record) {
	l.wall.object(l.json.Log(), r).Send()
	if l.count++; l.batch.Len() >= batchBytes {
		l.Flush()
	}
}

// Flush writes the batch. A line that was cut off is ended before the next.
func (l *Lines) Flush() {
	if l.count == 0 {
		return
	}
	l.writing.Lock()
	l.adopt()
	l.write(l.batch.Bytes())
	l.writing.Unlock()
	l.batch.Reset()
	l.count = 0
}

func (l *Lines) write(batch []byte) {
	if l.torn {
		if _, err := io.WriteString(l.file, "\n"); err != nil {
			l.counts.lost(l.count, err)
			return
		}
		l.torn = false
	}
	n, err := l.file.Write(batch)
	if err == nil {
		l.counts.wrote(l.count)
		return
	}
	whole := bytes.Count(batch[:n], []byte("\n"))
	l.counts.wrote(whole)
	l.counts.lost(l.count-whole, err)
	l.torn = n > 0 && batch[n-1] != '\n'
}

// adopt takes the file that was opened anew. The caller holds writing.
func (l *Lines) adopt() {
	if next := l.next.Swap(nil); next != nil {
		l.file.Close()
		l.file, l.torn = next, false
	}
}

// Reopen opens the file by its name again, since what had it was moved away. Any
// goroutine may call it; it waits for no write. After an error, the lines go on to
// where they went.
func (l *Lines) Reopen() error {
	if l.path == "" {
		return nil
	}
	file, err := open(l.path)
	if err != nil {
		return err
	}
	if unclaimed := l.next.Swap(file); unclaimed != nil {
		unclaimed.Close()
	}
	go func() { // so that the old one is not held until something is written
		l.writing.Lock()
		defer l.writing.Unlock()
		l.adopt()
	}()
	return nil
}

// Counts are what was written, and what could not be, and why the last.
func (l *Lines) Counts() (written, lost uint64, why error) { return l.counts.all() }

// Close closes the file.
func (l *Lines) Close() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.adopt()
	return l.file.Close()
}
