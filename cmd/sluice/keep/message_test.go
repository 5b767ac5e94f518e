package keep

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseRequest(t *testing.T) {
	for text, want := range map[string]string{
		`{"do":"divert","sum":"00"}`:            "",
		`{"do":"arrivals","conns":3}`:           "",
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
