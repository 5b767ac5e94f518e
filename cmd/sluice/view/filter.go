package view

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/redir/record"
)

// Filter is a query that is ready to be asked. It does not change: any goroutine may
// ask it.
type Filter struct {
	query   api.Query
	all     bool // of them are meant
	clients []place
	dests   []place
	states  uint32 // a bit each; 0: any
	order   order
	after   cursor
	isFirst bool // page: there is no after
}

// NewFilter reads the query. An error names the parameter, and what it should be.
func NewFilter(q api.Query) (*Filter, error) {
	f := &Filter{query: q}
	var err error
	if f.clients, err = places("client", q.Client, false); err != nil {
		return nil, err
	}
	if f.dests, err = places("destination", q.Destination, true); err != nil {
		return nil, err
	}
	if q.Network != "" && q.Network != "tcp" && q.Network != "udp" {
		return nil, fmt.Errorf("network: %q is none; want tcp or udp", q.Network)
	}
	if f.states, err = states(q.State); err != nil {
		return nil, err
	}
	if q.Older < 0 || q.Younger < 0 || q.Idle < 0 {
		return nil, fmt.Errorf("older, younger, idle: want a time of 0 or more, such as 30s")
	}
	if !(q.Rate >= 0) || math.IsInf(q.Rate, 0) {
		return nil, fmt.Errorf("rate: %v is none; want bytes a second", q.Rate)
	}
	if f.order, err = parseOrder(q.Sort); err != nil {
		return nil, err
	}
	if f.isFirst = q.After == ""; !f.isFirst {
		if f.after, err = f.order.parseCursor(q.After); err != nil {
			return nil, err
		}
	}
	f.all = f.clients == nil && f.dests == nil && len(q.Port) == 0 && q.Network == "" && len(q.Inbound) == 0 && len(q.Outbound) == 0 &&
		f.states == 0 && q.Older == 0 && q.Younger == 0 && q.Idle == 0 && q.Rate == 0 && !q.Held
	return f, nil
}

// All reports whether every flow matches.
func (f *Filter) All() bool { return f.all }

// WantsDest reports whether it takes a full record (record.Full) to tell which flows
// are meant, or in which order: one that has the destination that was asked for.
func (f *Filter) WantsDest() bool {
	return len(f.dests) > 0 || len(f.query.Port) > 0 || f.order.by == byDest
}

// WantsRate reports whether the rates of flows are needed to tell which are meant, or
// in which order.
func (f *Filter) WantsRate() bool { return f.query.Rate > 0 || f.order.by == byRate }

// Matches reports whether a flow is meant that runs at now (ns of Reactor.Now). What is
// said of a destination may be true of Dest or Dialed: of a brief record, Dest is not
// known where they differ. Its rate is in bytes a second, both ways together; below 0, it is not known.
func (f *Filter) Matches(r *record.Record, now int64, rate float64) bool {
	q := &f.query
	switch age := time.Duration(now - r.Start); {
	case f.all:
		return true
	case q.Network != "" && (q.Network == "udp") != r.ID.IsSession(),
		q.Held && !r.Held,
		q.Rate > 0 && !(rate >= q.Rate),
		f.states != 0 && f.states&(1<<r.State) == 0,
		q.Older > 0 && age <= q.Older,
		q.Younger > 0 && age >= q.Younger,
		q.Idle > 0 && time.Duration(now-r.Active) < q.Idle,
		len(q.Port) > 0 && !slices.Contains(q.Port, r.Dest.Port()) && !slices.Contains(q.Port, r.Dialed.Port()),
		len(q.Inbound) > 0 && !slices.Contains(q.Inbound, r.Inbound),
		len(q.Outbound) > 0 && !slices.Contains(q.Outbound, r.Out):
		return false
	}
	return isAt(f.clients, r.Client, "") && (isAt(f.dests, r.Dest, r.Name) || isAt(f.dests, r.Dialed, ""))
}

func states(names []string) (set uint32, err error) {
	for _, name := range names {
		i := slices.IndexFunc(record.States(), func(s record.State) bool { return s.String() == name })
		if i < 0 {
			var all []string
			for _, s := range record.States() {
				all = append(all, s.String())
			}
			return 0, fmt.Errorf("state: %q is none; want one of %s", name, strings.Join(all, ", "))
		}
		set |= 1 << i
	}
	return set, nil
}

// place is where a flow comes from or goes to.
type place struct {
	prefix netip.Prefix // invalid: the name is meant
	port   uint16       // 0: any
	zone   string       // of the address; empty: any
	name   string       // in small letters, without the last dot
	below  bool         // those below the name, which begins with a dot
}

// places reads the values of a parameter, of which names may be some.
func places(parameter string, values []string, mayBeNames bool) (all []place, err error) {
	for _, text := range values {
		p, ok := parseAddress(text)
		if !ok && mayBeNames {
			p, ok = parseName(text)
		}
		if !ok {
			want := "an address, ADDR:PORT or a network such as 192.0.2.0/24"
			if mayBeNames {
				want += ", or a name such as example.org, or .example.org for those below it"
			}
			return nil, fmt.Errorf("%s: %q is none; want %s", parameter, text, want)
		}
		all = append(all, p)
	}
	return all, nil
}

// mapped is how many bits of an IPv4-mapped address come before that of IPv4 (RFC
// 4291, section 2.5.5.2).
const mapped = 96

func parseAddress(text string) (place, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		if p.Addr().Is4In6() && p.Bits() >= mapped {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
		}
		return place{prefix: p.Masked()}, true
	}
	a, err := netip.ParseAddr(text)
	var port uint16
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil || withPort.Port() == 0 {
			return place{}, false
		}
		a, port = withPort.Addr(), withPort.Port()
	}
	a = a.Unmap()
	return place{prefix: netip.PrefixFrom(a.WithZone(""), a.BitLen()), port: port, zone: a.Zone()}, true
}

// parseName takes what could be a name, and no mistyped address: the last label of a
// name is no number (RFC 3696, section 2).
func parseName(text string) (place, bool) {
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	last := name[strings.LastIndexByte(name, '.')+1:]
	if last == "" || strings.ContainsAny(name, ":/% \t\r\n") || strings.Trim(last, "0123456789") == "" {
		return place{}, false
	}
	return place{name: name, below: name[0] == '.'}, true
}

// isAt reports whether one of the places is the flow's; none means any.
func isAt(places []place, a netip.AddrPort, name string) bool {
	if places == nil {
		return true
	}
	for i := range places {
		if p := &places[i]; p.name != "" && p.hasName(name) || p.name == "" && p.hasAddress(a) {
			return true
		}
	}
	return false
}

func (p *place) hasName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if p.below {
		return len(name) > len(p.name) && strings.EqualFold(name[len(name)-len(p.name):], p.name)
	}
	return strings.EqualFold(name, p.name)
}

func (p *place) hasAddress(a netip.AddrPort) bool {
	return (p.port == 0 || p.port == a.Port()) && (p.zone == "" || p.zone == a.Addr().Zone()) &&
		p.prefix.Contains(a.Addr().Unmap().WithZone(""))
}
