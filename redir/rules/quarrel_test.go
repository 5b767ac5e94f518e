package rules

import (
	"testing"
	"time"
)

// TestQuarrel: a burst of repairs is taken calmly, an endless row of them slows
// down to one in ten seconds, said once; a quiet minute ends it.
func TestQuarrel(t *testing.T) {
	var q quarrel
	now := time.Unix(0, 0)
	said := 0
	for n := range 200 {
		wait, insisting := q.repaired(now)
		if insisting {
			said++
		}
		if (wait == 0) != (n < manyRepairs) {
			t.Fatalf("repair %d: wait %v", n, wait)
		}
		now = now.Add(max(wait, 100*time.Millisecond))
	}
	if wait, _ := q.repaired(now); wait != longestWait || said != 1 {
		t.Errorf("at last: wait %v, said %d times", wait, said)
	}
	if wait, insisting := q.repaired(now.Add(time.Minute)); wait != 0 || insisting {
		t.Errorf("after a quiet minute: %v, %v", wait, insisting)
	}
}

func TestProtocolNames(t *testing.T) {
	for number, want := range map[byte]string{4: "static", 3: "boot", RouteProtocol: "sluice", 250: "250"} {
		if got := protocolName(number); got != want {
			t.Errorf("%d: %s, want %s", number, got, want)
		}
	}
	text := "#\n# Reserved\n\n0 unspec\n0xba bgp # 186\n42\tbabel\n7\n"
	for number, want := range map[byte]string{186: "bgp", 42: "babel", 7: ""} {
		if got, _ := protocolIn(text, number); got != want {
			t.Errorf("%d: %s, want %s", number, got, want)
		}
	}
}
