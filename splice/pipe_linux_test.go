package splice

import "testing"

// A bound that is lowered holds for idle pipes at once, and for lent ones when
// they come back; given up, idle ones are closed and can be had anew.
func TestPipeBound(t *testing.T) {
	p := newPipePool(64<<10, 8)
	var lent []*pipe
	for range 6 {
		x := p.take(widePipe)
		if x == nil {
			t.Fatal("no pipe")
		}
		lent = append(lent, x)
	}
	p.give(lent[0])
	p.give(lent[1])
	p.setMost(5)
	if p.open != 5 || p.idle() != 1 {
		t.Errorf("%d open, %d idle; want 5, 1", p.open, p.idle())
	}
	p.setMost(3)
	for _, x := range lent[2:] {
		p.give(x)
	}
	if p.open != 3 || p.idle() != 3 {
		t.Errorf("%d open, %d idle; want 3, 3", p.open, p.idle())
	}
	if !p.closeAllIdle() || p.open != 0 || p.closeAllIdle() {
		t.Errorf("%d open after all idle ones were given up", p.open)
	}
	x := p.take(widePipe)
	if x == nil {
		t.Fatal("no pipe after that")
	}
	p.close()
	p.give(x)
	if p.open != 0 {
		t.Errorf("%d open at the end", p.open)
	}
}
