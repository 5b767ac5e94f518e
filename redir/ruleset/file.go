package ruleset

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Format is how a file is written.
type Format uint8

// The formats.
const (
	List   Format = iota // a prefix, an address or a name a line
	Source               // sing-box's JSON
)

func (f Format) String() string { return [...]string{"list", "source"}[f] }

// ParseFormat reads list or source; an empty text is that of the file's ending, as
// sing-box has it: source for .json.
func ParseFormat(text, path string) (Format, error) {
	ending := filepath.Ext(path)
	switch {
	case text == "list", text == "" && ending != ".json" && ending != ".srs":
		return List, nil
	case text == "source", text == "" && ending == ".json":
		return Source, nil
	case text == "binary", text == "":
		return 0, fmt.Errorf("binary rule sets are not read: want the source, as sing-box rule-set decompile %s makes it", path)
	}
	return 0, fmt.Errorf("%.20q: want list or source", text)
}

// File is what a file of rules says. It is never changed.
type File struct {
	Rules []Rule // a flow that one of them matches is in the file
}

// Read reads the file at path. It holds no more of the file than a part at a time.
// What is not right about the text is an *Error.
func Read(path string, f Format) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("rule set: %w", err)
	}
	defer in.Close()
	return Parse(path, f, in)
}

// partSize is how much of a file is read at once, in bytes, and the length of the
// longest line of a list.
const partSize = 64 << 10

// Parse reads a file's text; name is what errors call the file. What is not right
// about the text is an *Error.
func Parse(name string, f Format, in io.Reader) (*File, error) {
	part := bufio.NewReaderSize(in, partSize)
	if err := skipMark(name, part); err != nil {
		return nil, err
	}
	if f == Source {
		return parseSource(name, part)
	}
	return parseList(name, part)
}

// skipMark skips the mark of UTF-8 at the begin of a text, and finds fault with
// those of UTF-16.
func skipMark(name string, in *bufio.Reader) error {
	begin, _ := in.Peek(3) // an error comes again
	switch {
	case string(begin) == "\xef\xbb\xbf":
		_, _ = in.Discard(len(begin)) // they are there
	case len(begin) > 1 && (string(begin[:2]) == "\xff\xfe" || string(begin[:2]) == "\xfe\xff"):
		return &Error{name, 1, "", "the text is UTF-16: want it in UTF-8"}
	}
	return nil
}
