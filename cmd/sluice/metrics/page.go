package metrics

import (
	"strconv"
	"strings"
	"time"

	"sluice/redir/count"
)

// contentType is that of the text format.
const contentType = "text/plain; version=0.0.4; charset=utf-8"

// page is families in the text format.
type page struct{ text []byte }

// family is the one that is being written. Labels are names and values in turn.
type family struct {
	page *page
	name string
}

func (p *page) counter(name, help string) family   { return p.family("counter", name, help) }
func (p *page) gauge(name, help string) family     { return p.family("gauge", name, help) }
func (p *page) histogram(name, help string) family { return p.family("histogram", name, help) }

// family begins one. help is a line without a backslash.
func (p *page) family(kind, name, help string) family {
	p.text = append(p.text, "# HELP "+name+" "+help+"\n# TYPE "+name+" "+kind+"\n"...)
	return family{p, name}
}

// is writes a whole number.
func (f family) is(v uint64, labels ...string) {
	f.page.begin(f.name, labels)
	f.page.text = append(strconv.AppendUint(f.page.text, v, 10), '\n')
}

// number writes one that is not negative, where it is kept as an int.
func (f family) number(v int, labels ...string) { f.is(uint64(max(0, v)), labels...) }

// isFloat writes another number.
func (f family) isFloat(v float64, labels ...string) {
	f.page.begin(f.name, labels)
	f.page.text = append(strconv.AppendFloat(f.page.text, v, 'g', -1, 64), '\n')
}

// seconds writes a time.
func (f family) seconds(d time.Duration, labels ...string) { f.isFloat(d.Seconds(), labels...) }

// holds writes 1 for what is so, and 0 for what is not.
func (f family) holds(so bool, labels ...string) {
	if so {
		f.is(1, labels...)
		return
	}
	f.is(0, labels...)
}

// times writes a distribution of them.
func (f family) times(d *count.Distribution, labels ...string) {
	bucket, sum := family{f.page, f.name + "_bucket"}, uint64(0)
	bounds := count.TimeBounds()
	for i, n := range d.Counts {
		sum += n
		end := "+Inf"
		if i < len(bounds) {
			end = strconv.FormatFloat(bounds[i].Seconds(), 'g', -1, 64)
		}
		bucket.is(sum, append(labels[:len(labels):len(labels)], "le", end)...)
	}
	family{f.page, f.name + "_sum"}.isFloat(float64(d.Sum)/1e9, labels...)
	family{f.page, f.name + "_count"}.is(sum, labels...)
}

var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// begin writes a sample up to its value.
func (p *page) begin(name string, labels []string) {
	p.text = append(p.text, name...)
	for i := 0; i+1 < len(labels); i += 2 {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		p.text = append(append(append(p.text, separator), labels[i]...), '=', '"')
		p.text = append(p.text, escaper.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD"))...)
		p.text = append(p.text, '"')
	}
	if len(labels) > 0 {
		p.text = append(p.text, '}')
	}
	p.text = append(p.text, ' ')
}
