package domain

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// naive is a set that asks each of its parts.
type naive struct{ exact, suffix, keyword []string }

func (n naive) match(name string) bool {
	for _, e := range n.exact {
		if name == e {
			return true
		}
	}
	for _, s := range n.suffix {
		if strings.HasSuffix("."+name, "."+strings.TrimPrefix(s, ".")) && (s[0] != '.' || "."+name != s) {
			return true
		}
	}
	for _, k := range n.keyword {
		if strings.Contains(name, k) {
			return true
		}
	}
	return false
}

func (n naive) set(t testing.TB) *Set {
	t.Helper()
	var b Builder
	for add, texts := range map[*func(string) error][]string{
		new(b.AddExact): n.exact, new(b.AddSuffix): n.suffix, new(b.AddKeyword): n.keyword,
	} {
		for _, text := range texts {
			if err := (*add)(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.Set()
}

func TestMatch(t *testing.T) {
	s := naive{
		exact:   []string{"only.example.com", "Upper.Example.COM.", "localhost"},
		suffix:  []string{"example.net", ".example.org", "co.uk", "_dmarc.example.de", "xn--bcher-kva.example."},
		keyword: []string{"track", "TRACKER", "-ad-", ".cdn."},
	}.set(t)
	for name, want := range map[string]bool{
		"only.example.com": true, "a.only.example.com": false, "example.com": false, "nly.example.com": false,
		"upper.example.com": true, "localhost": true, "a.localhost": false,
		"example.net": true, "a.example.net": true, "b.a.example.net": true, "aexample.net": false, "net": false,
		"example.org": false, "a.example.org": true, "b.a.example.org": true, "aexample.org": false,
		"co.uk": true, "bbc.co.uk": true, "uk": false,
		"_dmarc.example.de": true, "example.de": false, "xn--bcher-kva.example": true,
		"track": true, "mytracker.example": true, "trac.example": false, "x-ad-y": true, "x-ad": false,
		"a.cdn.b": true, "cdn.b": false, "": false, ".": false, "..": false, "example.net.": false, "\xff": false,
	} {
		if got := s.Match(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	if n := s.Len(); n != 11 { // tracker is in no name that has no track in it
		t.Errorf("%d names and keywords", n)
	}
}

// TestStandsForBoth asserts that a name may be given in each way.
func TestStandsForBoth(t *testing.T) {
	s := naive{exact: []string{"example.com"}, suffix: []string{".example.com"}}.set(t)
	if !s.Match("example.com") || !s.Match("a.example.com") || s.Len() != 1 {
		t.Errorf("%v", s)
	}
}

func TestEmpty(t *testing.T) {
	for name, s := range map[string]*Set{"nil": nil, "zero": {}, "built": naive{}.set(t)} {
		if s.Match("example.com") || s.Match("") || s.Len() != 0 || !s.Covers(nil) {
			t.Errorf("%s: is not empty", name)
		}
		if some := (naive{exact: []string{"a"}}).set(t); s.Covers(some) || !some.Covers(s) {
			t.Errorf("%s: covers, or is not covered", name)
		}
	}
}

func TestRefuses(t *testing.T) {
	var b Builder
	for _, c := range []struct {
		add  func(string) error
		text string
		want string
	}{
		{b.AddExact, "", "an empty name"},
		{b.AddSuffix, ".", "an empty name"},
		{b.AddExact, ".", "a dot too many"},
		{b.AddExact, ".example.com", "a dot too many"},
		{b.AddSuffix, "..example.com", "a dot too many"},
		{b.AddSuffix, "example..com", "a dot too many"},
		{b.AddSuffix, "example.com..", "a dot too many"},
		{b.AddSuffix, "a b", "a space in a name"},
		{b.AddSuffix, "https://example.com/", "a URL"},
		{b.AddSuffix, "example.com/path", "no name has a slash"},
		{b.AddSuffix, "example.com:443", "no name has a colon"},
		{b.AddSuffix, "*.example.com", "the suffix .example.com stands for all names below"},
		{b.AddSuffix, "bücher.example", "in punycode"},
		{b.AddSuffix, "||example.com^", `'|' cannot stand in a name`},
		{b.AddSuffix, "a\xff", `cannot stand in a name`},
		{b.AddSuffix, "a\n", `'\n' cannot stand in a name`},
		{b.AddSuffix, "10.0.0.1", "no name ends in a number"},
		{b.AddSuffix, strings.Repeat("a", 64) + ".com", "64 bytes between dots"},
		{b.AddSuffix, strings.Repeat("a.", 126) + "com", "255 bytes"},
		{b.AddSuffix, strings.Repeat("a.", 1000) + "com", "2003 bytes"},
		{b.AddKeyword, "", "an empty keyword"},
		{b.AddKeyword, "a b", "a space in a name"},
		{b.AddKeyword, "^ad", `'^' cannot stand in a name`},
		{b.AddKeyword, strings.Repeat("a", 254), "254 bytes"},
	} {
		if err := c.add(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
	if s := b.Set(); s.Len() != 0 {
		t.Errorf("%d names of those refused", s.Len())
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		a, b naive
		want bool
	}{
		{naive{suffix: []string{"example.com"}}, naive{exact: []string{"example.com", "a.example.com"}, suffix: []string{"b.example.com", ".example.com"}}, true},
		{naive{suffix: []string{".example.com"}}, naive{suffix: []string{"example.com"}}, false},
		{naive{suffix: []string{".example.com"}}, naive{suffix: []string{".example.com", "a.example.com"}}, true},
		{naive{exact: []string{"example.com"}}, naive{suffix: []string{"example.com"}}, false},
		{naive{suffix: []string{"com"}}, naive{keyword: []string{"com"}}, false},
		{naive{keyword: []string{"exam"}}, naive{exact: []string{"example.com"}, suffix: []string{".example.org", "example.net"}, keyword: []string{"example"}}, true},
		{naive{keyword: []string{".exam"}}, naive{suffix: []string{".example.org"}}, true},
		{naive{keyword: []string{".exam"}}, naive{suffix: []string{"example.org"}}, false},
		{naive{keyword: []string{"example"}}, naive{keyword: []string{"exam"}}, false},
	} {
		if got := c.a.set(t).Covers(c.b.set(t)); got != c.want {
			t.Errorf("%v covers %v: %v", c.a, c.b, got)
		}
	}
}

// randomName is of few letters, so that names are often below others.
func randomName(r *rand.Rand) string {
	labels := make([]string, 1+r.IntN(4))
	for i := range labels {
		labels[i] = [...]string{"a", "b", "ab", "ba", "com", "x-y"}[r.IntN(6)]
	}
	return strings.Join(labels, ".")
}

func TestMatchesAsTheParts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var n naive
		for range r.IntN(6) {
			n.exact = append(n.exact, randomName(r))
		}
		for range r.IntN(6) {
			n.suffix = append(n.suffix, []string{"", "."}[r.IntN(2)]+randomName(r))
		}
		for range r.IntN(3) {
			n.keyword = append(n.keyword, randomName(r)+[]string{"", "."}[r.IntN(2)])
		}
		s := n.set(t)
		for range 200 {
			if name := randomName(r); s.Match(name) != n.match(name) {
				t.Fatalf("%q: %v, in %+v", name, s.Match(name), n)
			}
		}
	}
}

// FuzzSet asserts that what a Builder takes is matched as its parts are.
func FuzzSet(f *testing.F) {
	f.Add("example.com", ".example.org", "exam", "a.example.com")
	f.Add("Example.com.", "co.uk", "-", "bbc.co.uk")
	f.Fuzz(func(t *testing.T, exact, suffix, keyword, name string) {
		var b Builder
		var n naive
		fold := func(text string) string { return strings.ToLower(strings.TrimSuffix(text, ".")) }
		if b.AddExact(exact) == nil {
			n.exact = append(n.exact, fold(exact))
		}
		if b.AddSuffix(suffix) == nil {
			n.suffix = append(n.suffix, fold(suffix))
		}
		if b.AddKeyword(keyword) == nil {
			n.keyword = append(n.keyword, strings.ToLower(keyword))
		}
		s := b.Set()
		all := append([]string{name, fold(name), "a" + suffix, "a." + suffix, "a" + keyword + "b"}, n.exact...)
		for _, name := range append(all, n.suffix...) {
			if checkLabels([]byte(name)) == nil && s.Match(name) != n.match(name) {
				t.Fatalf("%q: %v, in %+v", name, s.Match(name), n)
			}
		}
	})
}

// names are of two or three labels, as those of blocklists.
func names(r *rand.Rand, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s%x.%s", []string{"", "www.", "ads."}[r.IntN(3)], r.Uint64()>>(8+4*r.IntN(8)), []string{"com", "net", "co.uk", "de"}[r.IntN(4)])
	}
	return all
}

// keywordSet is of n keywords.
func keywordSet(t testing.TB, r *rand.Rand, n int) *Set {
	var b Builder
	for range n {
		if err := b.AddKeyword(fmt.Sprintf("%c%x", 'a'+r.IntN(26), r.Uint32()>>8)); err != nil {
			t.Fatal(err)
		}
	}
	return b.Set()
}

func TestMatchDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	all := names(r, 1000)
	s := naive{suffix: all[:500], keyword: []string{"example", "ads"}}.set(t)
	if n := testing.AllocsPerRun(10, func() {
		for _, name := range all {
			s.Match(name)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkMatch asks for names of which every other one is in the set, or below
// one that is, as they come in turn.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			in, asked := names(r, n), names(r, 1<<17)
			text := 0
			for _, name := range in {
				text += len(name)
			}
			for i := range asked {
				if i&1 == 0 {
					asked[i] = "cdn." + in[r.IntN(n)]
				}
			}
			before := heap()
			s := naive{suffix: in}.set(b)
			perName := float64(heap()-before-int64(text)) / float64(n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Match(asked[i&(len(asked)-1)])
			}
			b.ReportMetric(perName, "B/name-over-text")
			runtime.KeepAlive(in) // lives before and after
		})
	}
}

func BenchmarkMatchKeywords(b *testing.B) {
	for _, n := range []int{3, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			s, asked := keywordSet(b, r, n), names(r, 1<<12)
			for i := 0; b.Loop(); i++ {
				s.Match(asked[i&(len(asked)-1)])
			}
		})
	}
}

// BenchmarkBuild makes a set of a million suffixes.
func BenchmarkBuild(b *testing.B) {
	in := names(rand.New(rand.NewPCG(1, 2)), 1_000_000)
	for b.Loop() {
		naive{suffix: in}.set(b)
	}
}

// heap is how many bytes live.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
