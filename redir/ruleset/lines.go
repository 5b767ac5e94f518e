package ruleset

import (
	"bytes"
	"io"
)

// lines counts the lines of what is read through it.
type lines struct {
	in    io.Reader
	read  int64
	ends  []int64 // offsets of the line feeds that were read and not passed
	count int     // of those passed
}

func (l *lines) Read(b []byte) (int, error) {
	n, err := l.in.Read(b)
	for rest := b[:n]; ; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		rest = rest[i+1:]
		l.ends = append(l.ends, l.read+int64(n-len(rest)-1))
	}
	l.read += int64(n)
	return n, err
}

// at is the line, from 1, of an offset that is never less than the one before.
func (l *lines) at(offset int64) int {
	for len(l.ends) > 0 && l.ends[0] < offset {
		l.ends = l.ends[1:]
		l.count++
	}
	return l.count + 1
}
