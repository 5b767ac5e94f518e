package usage

import (
	"os"
	"testing"
	"time"
)

// TestRead: what the process takes more is seen, by both ways to count fds.
func TestRead(t *testing.T) {
	r := Open()
	defer r.Close()
	before := r.Read()
	if before.Memory < 1<<20 || before.Virtual < before.Memory || before.FDLimit < before.FDs || before.FDs < 5 {
		t.Errorf("%+v", before)
	}
	const more = 40
	for range more {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	for until := time.Now().Add(5 * time.Second); r.Read().CPU == before.CPU; {
		if time.Now().After(until) {
			t.Fatal("no CPU is used by turning")
		}
	}
	after := r.Read()
	if after.FDs-before.FDs != more || r.entries() != after.FDs || r.entries() != after.FDs {
		t.Errorf("%d fds, then %d more, of which %d are counted", before.FDs, after.FDs-before.FDs, r.entries())
	}
}

// TestNothing: without procfs there is less to know, and nothing fails.
func TestNothing(t *testing.T) {
	r := &Reader{}
	if u := r.Read(); u.FDs != 0 || u.Memory != 0 || u.FDLimit == 0 {
		t.Errorf("%+v", u)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	r = Open()
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	r := Open()
	defer r.Close()
	for b.Loop() {
		r.Read()
	}
}
