package compare

import (
	"slices"
	"strings"
	"testing"
)

// Bulk streams are a work for each congestion control, of which the first keeps the
// key; other works over TCP have the first, and datagrams none.
func TestWithCongestion(t *testing.T) {
	var got []string
	for _, w := range withCongestion(Works(), []string{"bbr", "cubic", "reno"}) {
		if slices.Contains([]string{"idle-5000", "udp-1"}, w.Key) || strings.HasPrefix(w.Key, "bulk-8-down") {
			got = append(got, w.Key+": "+w.Title+" / "+w.Congestion)
		}
	}
	want := []string{"idle-5000: 5,000 idle connections / bbr", "bulk-8-down: 8 bulk streams, downwards, bbr / bbr",
		"bulk-8-down-cubic: 8 bulk streams, downwards, cubic / cubic", "bulk-8-down-reno: 8 bulk streams, downwards, reno / reno",
		"udp-1: UDP echo, 1 flow, 1 in flight / "}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A work for each congestion control needs a key of its own, of which files are named.
func TestKeysAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range withCongestion(Works(), []string{"bbr", "cubic"}) {
		if seen[w.Key] {
			t.Errorf("two works are %s", w.Key)
		}
		seen[w.Key] = true
	}
}

// bulkOf is a comparison of uploads, bbr first, and of datagrams: rates of sluice where
// HAProxy and sing-box have 1.
func bulkOf(bbr, cubic, udp float64) *Result {
	r := &Result{Base: []string{HAProxy, SingBox}, Congestion: []string{"bbr", "cubic"}, Machine: Machine{TCP: "bbr"},
		Peers: []Peer{{Name: "sluice", Kind: "sluice"}, {Name: HAProxy, Kind: HAProxy}, {Name: SingBox, Kind: SingBox}}}
	for _, w := range withCongestion(Works(), r.Congestion) {
		rate, known := map[string]float64{"bulk-1-up": bbr, "bulk-8-up": bbr, "bulk-1-up-cubic": cubic, "bulk-8-up-cubic": cubic, "udp-16": udp}[w.Key]
		if !known {
			continue
		}
		other := HAProxy
		if w.Transport == "udp" {
			other = SingBox
		}
		row := func(peer string, rate float64) Row {
			return Row{Peer: peer, Samples: []Sample{{Values: map[Metric]float64{Rate: rate}}}}
		}
		r.Works = append(r.Works, WorkResult{Work: w, Rows: []Row{row("sluice", rate), row(other, 1)}})
	}
	r.Settle()
	return r
}

// A headline sums up each congestion control by itself, a loss names its own, and a
// target is of the first.
func TestCongestionsAreNotMixed(t *testing.T) {
	r := bulkOf(1.5, 0.9, 3)
	want := []string{
		"Beside haproxy (2 works, TCP with bbr) sluice delivers 1.50× as much.",
		"Beside haproxy (2 works, TCP with cubic) sluice delivers 0.90× as much.",
		"Beside sing-box (1 work) sluice delivers 3.00× as much.",
		`It loses in throughput of "1 bulk stream, upwards, cubic" (0.90× to haproxy); throughput of "8 bulk streams, upwards, cubic" (0.90× to haproxy).`,
	}
	if got := r.Headline(); !slices.Equal(got[:min(len(got), len(want))], want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, v := range r.Targets {
		if v.Metric == Rate && v.Yardstick == HAProxy && (v.Ratio != 1.5 || r.Work(v.Work).Congestion != "bbr") {
			t.Errorf("%+v of %+v", v, r.Work(v.Work))
		}
	}
}

func TestCongestionText(t *testing.T) {
	whole := bulkOf(1, 1, 1)
	for _, c := range []struct {
		r    *Result
		want string
	}{
		{whole, "TCP with bbr, bulk streams with cubic too"},
		{&Result{Congestion: whole.Congestion, Machine: whole.Machine}, "TCP with bbr"}, // no bulk streams were measured
		{&Result{Congestion: []string{"cubic"}, Machine: whole.Machine}, "TCP with cubic (the machine's is bbr)"},
		{&Result{Machine: whole.Machine}, "TCP with bbr"}, // of an earlier file
		{&Result{}, ""},
	} {
		if got := c.r.CongestionText(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
