package handover

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	long := `{"type":"refusal","why":"` + strings.Repeat("x", mostBytes) + `"}`
	for _, c := range []struct {
		text string
		fds  int
		want string // of the error; "" for none
	}{
		{`{"type":"hello","version":7,"release":"x","rules":true}`, 0, ""},
		{`{"type":"sockets","count":2}`, 2, ""},
		{`{"type":"hello","version":1,"later":"field"}`, 0, ""},
		{`{"type":"sockets","count":2}`, 0, "0 sockets came"},
		{`{"type":"sockets","count":2}`, 1, "1 sockets came"},
		{`{"type":"sockets"}`, 0, "0 sockets came"},
		{`{"type":"sockets","count":65}`, mostFDs + 1, "up to 64"},
		{`{"type":"ready"}`, 1, "bears 1 sockets"},
		{`{"type":"end","count":-1}`, 0, "count -1"},
		{`{"type":"steal"}`, 0, `unknown type "steal"`},
		{`{}`, 0, "unknown type"},
		{`{"type":"ready"} {"type":"ready"}`, 0, "more after it"},
		{`{"type":"rea`, 0, "unexpected EOF"},
		{``, 0, "EOF"},
		{`[]`, 0, "cannot unmarshal"},
		{long, 0, "more than 4096"},
	} {
		m, err := parse([]byte(c.text), c.fds)
		if c.want == "" && (err != nil || m.Type == "") {
			t.Errorf("%.60s: %+v, %v", c.text, m, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || m != (message{})) {
			t.Errorf("%.60s with %d sockets: %+v, %v, want %q", c.text, c.fds, m, err, c.want)
		}
	}
}

// FuzzParse: what was parsed is sent as the same message.
func FuzzParse(f *testing.F) {
	for _, text := range []string{`{"type":"hello","version":1}`, `{"type":"sockets","count":3}`, `{"type":"refusal","why":"\u0000"}`} {
		f.Add([]byte(text), 0)
		f.Add([]byte(text), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, fds int) {
		m, err := parse(data, fds)
		if err != nil {
			return
		}
		again, err := m.bytes()
		if err != nil {
			return // it grew by being quoted
		}
		if same, err := parse(again, fds); err != nil || same != m {
			t.Errorf("%q: %+v, then %+v, %v", data, m, same, err)
		}
	})
}
