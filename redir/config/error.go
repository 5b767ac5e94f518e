package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
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

// Errors are all that is wrong with some files, in their order, mostErrors at most.
type Errors []*Error

// Error has a line for each.
func (all Errors) Error() string {
	var lines []string
	for _, e := range all {
		lines = append(lines, e.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap are the *Error.
func (all Errors) Unwrap() (each []error) {
	for _, e := range all {
		each = append(each, e)
	}
	return each
}

// mostErrors is how many somebody will mend at a time.
const mostErrors = 20

// byteOrderMark is what some editors begin a file with (UTF-8). It is no part of the text.
const byteOrderMark = "\ufeff"

// document is a file that is being read. One goroutine owns it. What is wrong is noted,
// and reading goes on with the next thing.
type document struct {
	name   string
	text   []byte  // without a byte order mark
	keys   []Key   // that it may hold
	faults *Errors // of all that are read together
}

// full tells whether no more faults are noted, so that nobody need find out what was
// meant: as many as are told, and again as many, since they are not in order yet.
func (d *document) full() bool { return len(*d.faults) >= 2*mostErrors }

// errorf notes an Error at an offset in the file.
func (d *document) errorf(offset int, path, format string, args ...any) {
	if !d.full() {
		*d.faults = append(*d.faults, d.place(offset, path, fmt.Sprintf(format, args...)))
	}
}

// place is the Error at an offset.
func (d *document) place(offset int, path, problem string) *Error {
	before := d.text[:min(max(offset, 0), len(d.text))]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return &Error{
		File: d.name, Line: 1 + bytes.Count(before, []byte{'\n'}), Column: 1 + utf8.RuneCount(line), Path: path, Problem: problem,
	}
}

// inOrder are the faults of documents as a reader comes to them; nil for none.
func inOrder(faults Errors, documents []*document) error {
	if len(faults) == 0 {
		return nil
	}
	at := func(e *Error) int {
		return slices.IndexFunc(documents, func(d *document) bool { return d.name == e.File })
	}
	slices.SortStableFunc(faults, func(a, b *Error) int {
		for _, order := range []int{at(a) - at(b), a.Line - b.Line, a.Column - b.Column} {
			if order != 0 {
				return order
			}
		}
		return 0
	})
	return faults[:min(len(faults), mostErrors)]
}
