package compare

import (
	"slices"
	"strings"
	"testing"
)

// ratesOf is a result of one UDP work, with a rate for each peer.
func ratesOf(rates map[string]float64) *Result {
	i := slices.IndexFunc(Works(), func(w Work) bool { return w.Key == "udp-16" })
	w := WorkResult{Work: Works()[i]}
	r := &Result{Base: []string{HAProxy, SingBox}}
	for _, name := range append([]string{"sluice"}, Kinds()...) {
		if rate, ok := rates[name]; ok {
			w.Rows = append(w.Rows, Row{Peer: name, Samples: []Sample{{Values: map[Metric]float64{Rate: rate}}}})
			r.Peers = append(r.Peers, Peer{Name: name, Kind: name})
		}
	}
	r.Works = []WorkResult{w}
	r.Settle()
	return r
}

// Where nobody that ratios should refer to took part, another does: UDP without
// sing-box is held against the next proxy, else against plain forwarding.
func TestBaseWhereNoneOfThoseAskedForTookPart(t *testing.T) {
	for _, c := range []struct {
		rates map[string]float64
		base  string
		says  string
	}{
		{map[string]float64{"sluice": 3, SingBox: 1, "xray": 2, Direct: 6}, SingBox, "Beside sing-box (1 work) sluice delivers 3.00× as much."},
		{map[string]float64{"sluice": 3, "xray": 2, Direct: 6}, "xray", "Beside xray (1 work) sluice delivers 1.50× as much."},
		{map[string]float64{"sluice": 3, "xray": 4, Direct: 6}, "xray", `It loses in datagrams per second of "UDP echo, 16 flows × 32, 200 bytes, sent singly" (0.75× to xray).`},
		{map[string]float64{"sluice": 3, Direct: 6}, Direct, "Beside plain forwarding (1 work) sluice delivers 0.50× as much."},
		{map[string]float64{"sluice": 3}, "", "Nobody was measured that sluice could be held against."},
	} {
		r := ratesOf(c.rates)
		if r.Works[0].Base != c.base {
			t.Errorf("%v: held against %q, want %q", c.rates, r.Works[0].Base, c.base)
		}
		if says := strings.Join(r.Headline(), " "); !strings.Contains(says, c.says) {
			t.Errorf("%v: %q, want %q", c.rates, says, c.says)
		}
	}
	if says := strings.Join(ratesOf(map[string]float64{"sluice": 3, Direct: 6}).Headline(), " "); strings.Contains(says, "loses") {
		t.Errorf("beside nobody but the kernel: %q", says)
	}
	if says := (&Result{}).Headline(); says != nil {
		t.Errorf("of nothing: %q", says)
	}
}
