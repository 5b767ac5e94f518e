package screen

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	"sluice/cmd/sluice/api"
)

func TestPlainText(t *testing.T) {
	first := sampleAt(1, 3)
	first.Interval = 0
	unwell := sampleAt(3, 1)
	unwell.Flows[0].Held, unwell.Destinations[0].Held, unwell.Destinations[0].Name = true, true, "named.example"
	unwell.Health = api.Health{Causes: []string{"the rules are gone", hostile}}
	source := &fakeSource{samples: []*api.Sample{first, sampleAt(2, 3), nil, nil, unwell}}
	var out, told strings.Builder
	if err := Plain(t.Context(), source, &Text{Out: &out, Told: &told, Width: 80, Rows: 2}); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"connections 3 (0 dialing)", "tcp      1.00 Mbit/s  20.0 Mbit/s", "10.0.0.2", "held back", "t0.1.1", "held\n", "named.example\n", "refused_client_connects", "not well: the rules are gone; evil\\x1b",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	for _, not := range []string{"t0.2.1", "upstream_timeout"} {
		if strings.Contains(text, not) {
			t.Errorf("%q is in\n%s", not, text)
		}
	}
	if strings.Count(text, "connections") != 2 || strings.Count(told.String(), "\n") != 1 || !strings.Contains(told.String(), "trying again") {
		t.Errorf("%s\ntold: %s", text, &told)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || r != '\n' && !unicode.IsPrint(r) }) {
		t.Errorf("%q", text)
	}
}

func TestPlainCounts(t *testing.T) {
	samples := []*api.Sample{sampleAt(1, 1), sampleAt(2, 1), nil, sampleAt(3, 1)}
	var out strings.Builder
	if err := Plain(t.Context(), &fakeSource{samples: samples}, &Text{Out: &out, Count: 2, JSON: true}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var s api.Sample
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil || len(lines) != 2 || !s.Time.Equal(samples[1].Time) {
		t.Errorf("%v: %s", err, &out)
	}
	if err := Plain(t.Context(), &fakeSource{samples: samples}, &Text{Out: &out, Count: 3}); !errors.Is(err, errGone) {
		t.Errorf("sluice is gone: %v", err)
	}
	if err := Plain(t.Context(), &fakeSource{samples: samples}, &Text{Out: full{}}); err == nil {
		t.Error("what cannot be written is no error")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }
