package record

import "testing"

func TestIDText(t *testing.T) {
	for text, id := range map[string]ID{
		"t0.0.0": ConnID(0, 0, 0), "t3ff.ffffff.1fffffff": ConnID(1023, 1<<24-1, 1<<29-1), "u0.0": SessionID(0, 0),
		"u3ff.ffffffff": SessionID(1023, 1<<32-1), "t1.2a.3": ConnID(1, 42, 3|1<<29),
	} {
		if id.String() != text {
			t.Errorf("%q, want %q", id, text)
		}
		if got, err := ParseID(text); err != nil || got != id {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "t", "u", "t0.0", "u0", "t0.0.0.0", "t400.0.0", "t0.1000000.0", "t0.0.20000000", "x0.0", "t0.0.0x1", "t00.0.0", "u0.1ffffffff", "T0.0.0", "t-1.0.0", "t+1.0.0", "t0.A.0"} {
		if id, err := ParseID(text); err == nil {
			t.Errorf("%q is read as %v", text, id)
		}
	}
}
