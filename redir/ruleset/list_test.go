package ruleset

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

const someList = "\xef\xbb\xbf# networks\r\n" +
	"10.0.0.0/8\r\n" +
	"  192.0.2.1\t# one host\r\n" +
	"2001:db8::/32 ; documentation\n" +
	"2001:DB8:1::1// no comment\n"

func TestList(t *testing.T) {
	f, err := Parse("l", List, strings.NewReader(strings.Replace(someList, "// no comment", " // comment", 1)+`
; names
example.com
Upper.Example.NET.
.below.example
*.pattern.example
full:only.example
domain:v2.example # a comment
keyword:track
127.0.0.1 localhost localhost.localdomain
0.0.0.0 ads.example
0.0.0.0 0.0.0.0
fe80::1%lo0	link.example
fd00::/8
feed.example
1.2.3.4.example`))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Rules) != 1 || f.Rules[0].Mode != Plain || f.Rules[0].Invert {
		t.Fatalf("%+v", f)
	}
	c := f.Rules[0].Conditions
	for text, want := range map[string]bool{
		"10.1.2.3": true, "11.0.0.0": false, "192.0.2.1": true, "192.0.2.2": false, "0.0.0.0": false,
		"127.0.0.1": false, "2001:db8::5": true, "2001:db9::": false, "fd12::1": true, "fe80::1": false,
	} {
		if c.Dests.Contains(netip.MustParseAddr(text)) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
	for name, want := range map[string]bool{
		"example.com": true, "a.example.com": true, "xexample.com": false, "a.upper.example.net": true,
		"below.example": false, "a.below.example": true, "pattern.example": false, "a.pattern.example": true,
		"only.example": true, "a.only.example": false, "v2.example": true, "a.v2.example": true, "mytracker.net": true,
		"localhost": true, "localhost.localdomain": true, "ads.example": true, "a.ads.example": false, "link.example": true,
		"feed.example": true, "1.2.3.4.example": true, "comment": false,
	} {
		if c.Names.Match(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	if c.Networks != 0 || c.Sources != nil || c.SourcePorts != nil || c.DestPorts != nil {
		t.Errorf("%+v", c)
	}
}

// TestListOfOneKind asserts that a kind that is not in a list says nothing.
func TestListOfOneKind(t *testing.T) {
	for list, want := range map[string]struct{ rules, dests, names int }{
		"": {}, "\n\r\n # x\n": {}, "10.0.0.0/8": {1, 1, 0}, "example.com\n": {1, 0, 1},
	} {
		f, err := Parse("l", List, strings.NewReader(list))
		if err != nil || len(f.Rules) != want.rules {
			t.Errorf("%q: %+v, %v", list, f, err)
			continue
		}
		for _, r := range f.Rules {
			if r.Dests.Len() != want.dests || (r.Dests == nil) != (want.dests == 0) || r.Names.Len() != want.names || (r.Names == nil) != (want.names == 0) {
				t.Errorf("%q: %+v", list, r)
			}
		}
	}
}

func TestListRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"10.0.0.0/33":            `"10.0.0.0/33": want a length from 0 to 32 behind the slash`,
		"2001:db8::/129":         `"2001:db8::/129": want a length from 0 to 128 behind the slash`,
		"10.0.0.0/":              `want a length from 0 to 32`,
		"10.0.0.256":             `"10.0.0.256": want a prefix or an address`,
		"10.0.0":                 `"10.0.0": want a prefix or an address`,
		"2001:db8:::1":           `want a prefix or an address`,
		"fe80::1%eth0":           `leave %eth0 out`,
		"10.0.0.1 10.0.0.2":      `"10.0.0.2": no name ends in a number`,
		"10.0.0.0/8 example":     `"10.0.0.0/8 example": want one prefix, address or name a line`,
		"example.com a.net":      `want one prefix, address or name a line`,
		"10.0.0.1-10.0.0.9":      `no name ends in a number: want addresses among addresses`,
		"https://example.com/":   `a URL: want the name alone`,
		"example.com/x":          `no name has a slash`,
		"example.com:443":        `no name has a colon, and ports are no part of names`,
		"[2001:db8::1]":          `'[' cannot stand in a name`,
		"||example.com^":         `'|' cannot stand in a name`,
		"a.*.example":            `no patterns`,
		"example.com#x":          `'#' cannot stand in a name`,
		"regexp:^a":              `regexp: is not known: want a name, or one behind full:, domain: or keyword:`,
		"include:other":          `include: is not known`,
		"full:":                  `an empty name`,
		"keyword:":               `an empty keyword`,
		"domain:a b":             `want one prefix, address or name a line`,
		"bücher.example":         `in punycode`,
		strings.Repeat("x", 1e5): `a line of more than 64 KiB: is this a list?`,
	} {
		f, err := Parse("dir/l.txt", List, strings.NewReader("# first\n"+line+"\nexample.com\n"))
		place := new(Error)
		if !errors.As(err, &place) || !strings.HasPrefix(err.Error(), "dir/l.txt:2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, %+v, want %s", line, err, f, want)
		}
	}
	if _, err := Parse("l", List, strings.NewReader("\xff\xfea\x00")); err == nil || !strings.Contains(err.Error(), "l:1: the text is UTF-16") {
		t.Errorf("UTF-16: %v", err)
	}
}

func TestReadingFails(t *testing.T) {
	for _, f := range []Format{List, Source} {
		in := io.MultiReader(strings.NewReader(`{"version":`[:int(f)*11]), iotest.ErrReader(os.ErrPermission))
		if _, err := Parse("x", f, in); !errors.Is(err, os.ErrPermission) {
			t.Errorf("format %d: %v", f, err)
		}
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.txt")
	if _, err := Read(path, List); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("missing: %v", err)
	}
	if err := os.WriteFile(path, []byte("10.0.0.0/8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Read(path, List); err != nil || len(f.Rules) != 1 {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := Read(path, Source); err == nil || !strings.HasPrefix(err.Error(), path+":1: ") {
		t.Errorf("a list as source: %v", err)
	}
	if _, err := Read("/dev/zero", List); err == nil || !strings.Contains(err.Error(), "is this a list?") {
		t.Errorf("no text: %v", err)
	}
}

func TestParseFormat(t *testing.T) {
	for _, c := range []struct {
		text, path string
		want       Format
		err        string
	}{
		{"list", "a.json", List, ""}, {"source", "a.txt", Source, ""}, {"", "a.json", Source, ""}, {"", "a.txt", List, ""}, {"", "a", List, ""},
		{"binary", "a.txt", 0, "sing-box rule-set decompile a.txt"}, {"", "a.srs", 0, "decompile a.srs"}, {"text", "a", 0, "want list or source"},
	} {
		f, err := ParseFormat(c.text, c.path)
		if f != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q of %s: %d, %v", c.text, c.path, f, err)
		}
	}
}

// FuzzList asserts that a list is taken if each of its lines is, wherever they
// stand and however they end, and that an error names the first bad one.
func FuzzList(f *testing.F) {
	f.Add(someList)
	f.Add("full:a.example\nkeyword:b\n0.0.0.0 0.0.0.0\n::1 a b # c")
	f.Add("10.0.0.0/8 # x\n;\n//\n*.a.b\n||x^\n\x00\nfe80::%\n")
	f.Fuzz(func(t *testing.T, list string) {
		all, err := Parse("l", List, strings.NewReader(list))
		if strings.HasPrefix(list, "\xff\xfe") || strings.HasPrefix(list, "\xfe\xff") {
			return
		}
		bad, n := 0, 0
		for i, line := range strings.Split(list, "\n") {
			one, err := Parse("l", List, iotest.OneByteReader(strings.NewReader(line+"\r\n")))
			if i > 0 && strings.HasPrefix(line, "\xef\xbb\xbf") || i > 0 && strings.HasPrefix(line, "\xff\xfe") || i > 0 && strings.HasPrefix(line, "\xfe\xff") {
				err = errors.New("a mark in the middle")
			}
			switch {
			case err != nil && bad == 0:
				bad = i + 1
			case err == nil && len(one.Rules) > 0:
				n++
			}
		}
		place := new(Error)
		switch {
		case err == nil && (bad > 0 || (len(all.Rules) == 1) != (n > 0)):
			t.Fatalf("%q is taken, line %d is bad, %d are not: %+v", list, bad, n, all)
		case err != nil && (!errors.As(err, &place) || place.Line != bad):
			t.Fatalf("%q: %v, line %d is bad", list, err, bad)
		}
	})
}
