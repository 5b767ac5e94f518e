package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// mostEvent bounds one event, in bytes: some thousand flows.
const mostEvent = 16 << 20

var errLongEvent = errors.New("an event is longer than 16 MiB")

// events reads server-sent events (HTML, section 9.2.5).
type events struct{ in *bufio.Reader }

func newEvents(r io.Reader) *events { return &events{bufio.NewReaderSize(r, 64<<10)} }

// next returns the next event that has data. A comment, by which a server shows that
// it lives, comes as one without a name.
func (e *events) next() (name string, data []byte, err error) {
	name = "message"
	for {
		line, err := e.line()
		if err != nil {
			return "", nil, err
		}
		if len(line) == 0 {
			if data != nil {
				return name, data[:len(data)-1], nil
			}
			name = "message"
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "":
			if data == nil {
				return "", nil, nil
			}
		case "event":
			name = string(value)
		case "data":
			if len(data)+len(value) > mostEvent {
				return "", nil, errLongEvent
			}
			data = append(append(data, value...), '\n')
		}
	}
}

// line is the next one, without its end; valid until the next call.
func (e *events) line() ([]byte, error) {
	line, err := e.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		long := bytes.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) {
			if len(long) > mostEvent {
				return nil, errLongEvent
			}
			line, err = e.in.ReadSlice('\n')
			long = append(long, line...)
		}
		line = long
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}
