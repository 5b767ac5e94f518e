package torture

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
	"sluice/bench/program"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// TestFigures runs two short figures from their stage to their line.
func TestFigures(t *testing.T) {
	lab.For(t, lab.Options{}) // or the reason why there can be none
	program := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.Command("go", "build", "-o", program, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var out bytes.Buffer
	card, err := Run(t.Context(), Options{Sluice: program, Only: []string{"ends", "aborts"}, Short: true, Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	if card.Verdict() != OK || len(card.Figures) != 2 {
		t.Errorf("%s\n%+v", &out, card)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 3 {
		t.Errorf("%d lines:\n%s", lines, &out)
	}
}

// TestNames asserts that no two figures bear one name, and that each fits its column.
func TestNames(t *testing.T) {
	names := Names()
	for _, name := range names {
		if len(name) > nameWidth {
			t.Errorf("%q is longer than %d", name, nameWidth)
		}
	}
	slices.Sort(names)
	if twice := len(names) - len(slices.Compact(names)); twice > 0 {
		t.Errorf("%d names are borne twice", twice)
	}
}

func TestSpoofed(t *testing.T) {
	seen := map[string]bool{}
	for _, v6 := range []bool{false, true} {
		for i := range addressesPerPort {
			seen[spoofed(v6, i).String()] = true
		}
	}
	if len(seen) != 2*addressesPerPort || seen["10.78.0.0"] || !seen["10.78.0.1"] || !seen["fd78::1"] {
		t.Errorf("%d sources", len(seen))
	}
}

// TestPacket asserts that a made segment has the checksum that a receiver computes:
// with the sum in place the whole gives 0.
func TestPacket(t *testing.T) {
	p := segments{to: dest(false, servePort), flags: flagSYN}.packet(0x123456789a, 77)
	if sum := tcpSum(p[12:20], p[ipHeader:]); sum != 0 {
		t.Errorf("checksum is off by %#x", sum)
	}
	if port := binary.BigEndian.Uint16(p[ipHeader+2:]); port != servePort || p[9] != unix.IPPROTO_TCP || p[ipHeader+13] != flagSYN {
		t.Errorf("% x", p)
	}
}

func TestReason(t *testing.T) {
	for _, c := range []struct{ log, want string }{
		{"", ""},
		{`{"level":"info","message":"ready"}`, ""},
		{`{"level":"error","error":"out of memory","message":"a reactor ended"}`, "a reactor ended: out of memory"},
		{"sluice: error: listen tcp :12345: no", "sluice: error: listen tcp :12345: no"},
		{"fatal error: runtime: netpoll failed\n\ngoroutine 1 [running]:", "fatal error: runtime: netpoll failed"},
		{"sluice: cannot go on\n\n", "sluice: cannot go on"},
		{"panic: index out of range\n\ngoroutine 1 [running]:", ""},
	} {
		j := &program.Journal{}
		if c.log != "" {
			_, _ = j.Write([]byte(c.log + "\n"))
		}
		if got := reason(j); got != c.want {
			t.Errorf("%q: %q, want %q", c.log, got, c.want)
		}
	}
}
