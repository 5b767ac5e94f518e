package program

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestProcess looks at this one, and at one that there is not.
func TestProcess(t *testing.T) {
	own := Process(os.Getpid())
	before := own.FDs()
	f, err := os.Open(own.Path("status"))
	if err != nil {
		t.Fatal(err)
	}
	if n := own.FDs(); n != before+1 {
		t.Errorf("%d fds and one more are %d", before, n)
	}
	f.Close()
	if own.Memory() < 1<<20 || own.Threads() < 2 || own.FDLimit() < 64 {
		t.Errorf("%d bytes, %d threads, at most %d fds", own.Memory(), own.Threads(), own.FDLimit())
	}
	begin, used := time.Now(), own.CPU()
	for time.Since(begin) < 50*time.Millisecond {
	}
	if took := own.CPU() - used; took < time.Millisecond || took > time.Since(begin)*time.Duration(own.Threads()) {
		t.Errorf("spun for 50 ms and took %v", took)
	}
	none := Process(1 << 29)
	if none.FDs() != 0 || none.Memory() != 0 || none.Threads() != 0 || none.FDLimit() != 0 || none.CPU() != 0 {
		t.Error("a process that there is not has something")
	}
}

// TestJournal cuts lines however they arrive.
func TestJournal(t *testing.T) {
	var j Journal
	for _, part := range []string{"pla", "in\n{\"message\":\"a\",\"n\":1}\n{\"mess", "age\":\"b\"}\n", "rest"} {
		if n, err := j.Write([]byte(part)); n != len(part) || err != nil {
			t.Error(n, err)
		}
	}
	lines, rest := j.Lines(1)
	if j.Len() != 3 || rest != "rest" || strings.Join(lines, "|") != `{"message":"a","n":1}|{"message":"b"}` {
		t.Errorf("%d lines, %q, and %q", j.Len(), lines, rest)
	}
	if a := j.Entries(0, "a"); len(a) != 1 || a[0]["n"] != 1.0 || len(j.Entries(2, "a")) != 0 || len(j.All(0)) != 2 {
		t.Errorf("entries %v", j.All(0))
	}
	if !j.Says("lai") || j.Says("rest") {
		t.Error("whole lines say something else")
	}
}
