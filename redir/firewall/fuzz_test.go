package firewall

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzWalk walks what any dump decodes to: the seeds are dumps of rulesets as
// gateways have them (testdata, written by TestSeeds -args write). Nothing
// may crash, or take long.
func FuzzWalk(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.dump")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, seed := range seeds {
		dump, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(dump)
	}
	f.Fuzz(func(t *testing.T, dump []byte) {
		begun := time.Now()
		r := Decode(dump)
		ours := r.OwnTable("sluice")
		mark, mask := r.DivertMark(ours)
		for _, ipv6 := range []bool{false, true} {
			for _, protocol := range []byte{protoTCP, protoUDP} {
				for _, isNew := range []bool{false, true} {
					p := Packet{IPv6: ipv6, Protocol: protocol, New: isNew, In: Device{"lan", 7}, Elsewhere: Undiverted(),
						ConnMark: Exactly(0), FWMark: mark, FWMask: mask}
					way := r.Divert(p, ours, 5)
					for _, s := range way.Steps {
						check(t, s.Passage)
					}
					for _, hook := range []Hook{Output, Input, Forward} {
						for _, passage := range r.Pass(hook, p, ours) {
							check(t, passage)
						}
					}
				}
			}
		}
		for _, c := range r.chains {
			_ = c.String()
			for _, rule := range c.Rules {
				_ = rule.String()
			}
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%d bytes took %v", len(dump), took)
		}
	})
}

func check(t *testing.T, p Passage) {
	if p.Passes > All {
		t.Errorf("%v pass", p.Passes)
	}
	if p.Passes == None && len(p.Stops) == 0 && p.Known {
		t.Errorf("nothing passes chain %s, and nothing stops it", p.Base)
	}
}
