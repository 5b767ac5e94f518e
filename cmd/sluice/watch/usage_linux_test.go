package watch

import (
	"testing"
	"time"
)

func TestUsage(t *testing.T) {
	u, err := OpenUsage()
	if err != nil {
		t.Fatal(err)
	}
	cpu, memory := u.Now()
	if memory < 1<<20 || memory > 1<<34 {
		t.Errorf("%d bytes", memory)
	}
	for begin := time.Now(); time.Since(begin) < 10*time.Second; { // the CPU is counted by ticks
		if later, _ := u.Now(); later > cpu {
			break
		}
	}
	if later, _ := u.Now(); later <= cpu || later > cpu+10*time.Second {
		t.Errorf("%v after %v", later, cpu)
	}
	u.Close()
	if _, memory := u.Now(); memory != 0 {
		t.Errorf("%d bytes of nothing", memory)
	}
}
