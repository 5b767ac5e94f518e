package keep

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestParseRequest(t *testing.T) {
	for text, want := range map[string]string{
		`{"do":"divert","sum":"00"}`:            "",
		`{"do":"arrivals","conns":3}`:           "",
		`{"do":"look"}`:                         "",
		`{"do":"flush"}`:                        "nothing that the keeper does",
		`{}`:                                    "nothing that the keeper does",
		`{"do":"remove","table":"nat"}`:         "unknown field",
		`{"do":"remove"}{"do":"open"}`:          "follow the message",
		`{"do":"arrivals","conns":-1}`:          "cannot unmarshal",
		`["divert"]`:                            "cannot unmarshal",
		`{"do":"divert","sum":"` + "\x00" + `"`: "invalid",
		``:                                      "EOF",
	} {
		_, err := parseRequest([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// FuzzRequest: what is accepted says the same when it is written again.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"do":"divert","sum":"00"}`))
	f.Add([]byte(`{"do":"arrivals","conns":3,"datagrams":18446744073709551615}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRequest(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseRequest(again); err != nil || back != r {
			t.Errorf("%q: %+v, then %+v, %v", text, r, back, err)
		}
	})
}

// TestBounded: whatever the kernel calls its chains, what is amiss is one message.
func TestBounded(t *testing.T) {
	long := strings.Repeat("\x00", 2*mostLineBytes) + "ü"
	lines := slices.Repeat([]string{long}, 1000)
	text, err := json.Marshal(Reply{Rules: new(Rules{Installed: true, Amiss: lines, Hints: lines}.Bounded())})
	if err != nil || len(text) > mostBytes {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	few := Rules{Amiss: []string{"a"}, Zones: []int{115}}
	if b := few.Bounded(); !slices.Equal(b.Amiss, few.Amiss) || !slices.Equal(b.Zones, few.Zones) {
		t.Errorf("%+v became %+v", few, b)
	}
}
