package torture

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	known := []string{"aborts", "closed", "soak"}
	for _, c := range []struct {
		wanted []string
		want   string
		refuse string
	}{
		{nil, "aborts closed soak", ""},
		{[]string{"soak", "aborts"}, "aborts soak", ""},
		{[]string{"close"}, "", `the nearest is "closed"`},
		{[]string{"soak", "sok"}, "", `no figure "sok"; the nearest is "soak"`},
	} {
		got, err := choose(known, c.wanted)
		if c.refuse != "" {
			if err == nil || !strings.Contains(err.Error(), c.refuse) {
				t.Errorf("%v: %v", c.wanted, err)
			}
			continue
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%v: %v, %v", c.wanted, got, err)
		}
	}
}

func TestReading(t *testing.T) {
	long := 1.5
	for _, c := range []struct {
		Reading
		want string
	}{
		{Reading{What: "flows", Value: 600}, "flows 600"},
		{Reading{What: "lost", Value: 0, Bound: Most}, "lost 0 (at most 0)"},
		{Reading{What: "lost", Value: 3, Bound: Most}, "! lost 3 (at most 0)"},
		{Reading{What: "alive", Value: 50, Bound: Least, Target: 50}, "alive 50 (at least 50)"},
		{Reading{What: "p99", Value: 2.3456, Unit: "x", Bound: Most, Target: 10, Long: &long}, "p99 2.35x (at most 10x; long 1.5x)"},
		{Reading{What: "rate", Value: 12345.6}, "rate 12346"},
	} {
		if got := c.judge().String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestByChance(t *testing.T) {
	near := Reading{Value: 15, Bound: Most, Target: 10, Statistical: true}.judge()
	far := Reading{Value: 100, Bound: Most, Target: 10, Statistical: true}.judge()
	slow := Reading{Value: 1, Bound: Least, Target: 10, Statistical: true}.judge()
	exact := Reading{Value: 1, Bound: Most}.judge()
	fine := Reading{Value: 1, Bound: Most, Target: 1}.judge()
	for _, c := range []struct {
		readings []Reading
		want     bool
	}{
		{[]Reading{near, fine}, true}, {[]Reading{near, far}, false}, {[]Reading{near, exact}, false},
		{[]Reading{slow}, false}, {[]Reading{fine}, false},
	} {
		r := Result{Readings: c.readings}
		r.settle(nil)
		if got := r.byChance(); got != c.want {
			t.Errorf("%v: %v", c.readings, got)
		}
	}
}

func TestCard(t *testing.T) {
	held, missed := Reading{What: "b", Bound: Most, Target: 1}, Reading{What: "a", Value: 2, Bound: Most, Target: 1}
	card := Card{Schema: Schema, Short: true, Figures: []Result{
		{Name: "fine", Readings: []Reading{held.judge()}},
		{Name: "bad", Readings: []Reading{held.judge(), missed.judge()}},
	}}
	for i := range card.Figures {
		card.Figures[i].settle(nil)
	}
	if card.Verdict() != Missed {
		t.Errorf("verdict %q", card.Verdict())
	}
	broken := Result{Name: "broken", Readings: []Reading{missed.judge()}}
	broken.settle(errors.New("no\nlab"))
	empty := Result{Name: "empty", Readings: []Reading{{What: "a note", OK: true}}}
	empty.settle(nil)
	if broken.Verdict != Failed || broken.Error != "no; lab" || empty.Verdict != Failed {
		t.Errorf("%+v, %+v", broken, empty)
	}
	card.Figures = append(card.Figures, broken)
	if card.Verdict() != Failed {
		t.Errorf("verdict %q", card.Verdict())
	}
	var out bytes.Buffer
	for _, f := range card.Figures {
		if err := f.WriteLine(&out); err != nil {
			t.Fatal(err)
		}
	}
	if err := card.WriteEnd(&out); err != nil {
		t.Fatal(err)
	}
	want := `fine       ok         0.0s  b 0 (at most 1)
bad        missed     0.0s  ! a 2 (at most 1), b 0 (at most 1)
broken     error      0.0s  ! no; lab, ! a 2 (at most 1)
1 of 3 figures ok, 1 missed, 1 not measured, in 0s (short form: statistical targets are wider than the long form's)
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
	out.Reset()
	if err := card.Write(&out); err != nil {
		t.Fatal(err)
	}
	var back Card
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back.Figures[1].Readings[1].Value != 2 {
		t.Errorf("read back %+v, %v", back, err)
	}
}
