package keep

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// TestConn: messages keep their bounds, a long one is none, and the end is
// heard.
func TestConn(t *testing.T) {
	ours, file, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs := &Conn{file}
	defer theirs.Close()
	file.SetDeadline(time.Now().Add(10 * time.Second))
	for _, r := range []Request{{Do: Divert, Sum: "ab"}, {Do: Arrivals, Conns: 1, Datagrams: 2}} {
		if err := ours.Send(r); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []Verb{Divert, Arrivals} {
		if r, err := theirs.Request(); err != nil || r.Do != want {
			t.Errorf("%+v, %v; want %s", r, err, want)
		}
	}
	if err := ours.Send(Request{Do: Divert, Sum: strings.Repeat("x", mostBytes)}); err != nil {
		t.Fatal(err)
	}
	if r, err := theirs.Request(); err == nil {
		t.Errorf("a message that is too long: %.40s", r.Sum)
	}
	if err := theirs.Send(Reply{Error: "no"}); err != nil {
		t.Fatal(err)
	}
	if r, err := ours.Reply(); err != nil || r.Error != "no" {
		t.Errorf("%+v, %v", r, err)
	}
	ours.Close()
	if _, err := theirs.Request(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := Inherited(0); err == nil {
		t.Error("standard input is a socket")
	}
}
