package config

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Error says what is wrong with a file, and where.
type Error struct {
	File         string
	Line, Column int    // from 1; the column counts characters
	Path         string // of the key: inbounds[0].listen; empty: not at a key
	Problem      string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", e.File, e.Line, e.Column, e.Path, e.Problem)
}

// document is a file that is being read. One goroutine owns it.
type document struct {
	name string
	text []byte
	keys []Key // that it may hold
}

// errorf is the Error at an offset in the file.
func (d *document) errorf(offset int, path, format string, args ...any) *Error {
	before := d.text[:min(max(offset, 0), len(d.text))]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return &Error{
		File: d.name, Line: 1 + bytes.Count(before, []byte{'\n'}), Column: 1 + utf8.RuneCount(line),
		Path: path, Problem: fmt.Sprintf(format, args...),
	}
}
