package api

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQueryIsReadAsItWasWritten(t *testing.T) {
	for _, q := range []Query{
		{},
		{Client: []string{"10.0.0.1", "fd00::/8"}, Destination: []string{".example.org", "[2001:db8::1]:443"}, Port: []uint16{53, 443},
			Network: "udp", Inbound: []string{"a,b", "c"}, Outbound: []string{"[::]:1"}, State: []string{"bulk"},
			Older: time.Minute, Younger: time.Hour, Idle: 1500 * time.Millisecond, Rate: 0.25, Held: true, Sort: "-rate", Limit: 7, After: "12,t0.0.1"},
	} {
		v := q.Values()
		got, err := ParseQuery(v)
		if diff := cmp.Diff(q, got); err != nil || diff != "" {
			t.Errorf("%v: %v\n%s", v, err, diff)
		}
		encoded, err := url.ParseQuery(v.Encode())
		if err != nil || cmp.Diff(v, encoded) != "" {
			t.Errorf("%v by way of an address: %v, %v", v, encoded, err)
		}
	}
}

func TestQueryForms(t *testing.T) {
	for text, want := range map[string]Query{
		"":                        {},
		"client=&network=&limit=": {},
		"client=10.0.0.1,+10.0.0.2&client=10.0.0.3": {Client: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}},
		"port=53,443":         {Port: []uint16{53, 443}},
		"older=90&idle=1h30m": {Older: 90 * time.Second, Idle: 90 * time.Minute},
		"rate=1MiB":           {Rate: 1 << 20},
		"rate=1.5K":           {Rate: 1536},
		"held":                {Held: true},
		"held=0":              {},
		"sort=-age":           {Sort: "-age"},
	} {
		v, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseQuery(v); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: %v\n%s", text, err, cmp.Diff(want, got))
		}
	}
}

func TestQueryErrorsNameTheParameter(t *testing.T) {
	for text, param := range map[string]string{
		"clinet=10.0.0.1": "clinet", "port=0": "port", "port=65536": "port", "port=http": "port",
		"older=much": "older", "younger=-1s": "younger", "idle=1y": "idle", "rate=-1": "rate", "rate=NaN": "rate", "rate=1e400": "rate",
		"rate=x": "rate", "held=maybe": "held", "limit=-1": "limit", "limit=x": "limit",
		"limit=9999999999": "limit", "network=tcp&network=udp": "network",
	} {
		v, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseQuery(v)
		var fault *ParamError
		if !errors.As(err, &fault) || fault.Name != param || fault.Want == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzQuery: what is read is read again as it was.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "client=10.0.0.1,fd00::/8&port=1&rate=1MiB&held", "older=1h&sort=-rate&limit=3&after=x", "rate=1e300G", "%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q, err := ParseQuery(v)
		if err != nil {
			return
		}
		again, err := ParseQuery(q.Values())
		if diff := cmp.Diff(q, again); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", text, err, diff)
		}
	})
}
