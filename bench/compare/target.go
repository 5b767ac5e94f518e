package compare

import (
	"slices"
	"strings"
)

// Names of the peers that are yardsticks.
const (
	Direct  = "direct"
	HAProxy = "haproxy"
	SingBox = "sing-box"
	// SocksSingBox is sing-box that goes through a SOCKS5 server.
	SocksSingBox = socksPrefix + SingBox
	// ReverseHAProxy is HAProxy as a reverse proxy that shows the client.
	ReverseHAProxy = reversePrefix + HAProxy
	// Gateway is the same sluice in the same role, with the gateway's source.
	Gateway = "--source gateway"
	// Relayed is the same sluice without SOCKS5, by way of the same server.
	Relayed = "by a relay"
	// Plain is the kernel's forwarding where no sluice is.
	Plain = "plain forwarding"
)

// gatewaySource ends the name of the sluice that a sluice which shows the client is
// held against: the same, in the same role, with the gateway's address.
const (
	gatewaySource = " --source gateway"
	clientSource  = " --source client"
	ownRules      = " --install-rules"
	reversePrefix = "reverse "
	socksPrefix   = "socks "
	socksSuffix   = " --upstream socks5:"
	relaySuffix   = " " + Relayed
	kernelSuffix  = " forward"
	redsocksKind  = "redsocks"
	hevKind       = "hev-socks5-tproxy"
)

// Target is a ratio that sluice is to reach. Of the rate more is better, of every
// other metric less.
type Target struct {
	Work         string  `json:"work"`
	Metric       Metric  `json:"metric"`
	Yardstick    string  `json:"yardstick"` // a peer, Gateway or Relayed
	AtLeast      float64 `json:"at_least"`
	Aim          float64 `json:"aim,omitempty"`           // 0: none beyond AtLeast
	AimYardstick string  `json:"aim_yardstick,omitempty"` // empty: Yardstick
}

// Verdict is a target and what a sluice reached of it.
type Verdict struct {
	Target
	Peer     string  `json:"peer"`                // the sluice
	Ratio    float64 `json:"ratio,omitempty"`     // to the yardstick, median of the rounds
	AimRatio float64 `json:"aim_ratio,omitempty"` // to the aim's yardstick
	Verdict  string  `json:"verdict"`
}

// What a Verdict says.
const (
	AimReached = "aim"
	Enough     = "enough"
	Below      = "below"
	Unknown    = "unknown" // the yardstick or the work was not measured
)

// noSlower is the ratio of two that are as fast as each other, less what two
// measurements of one thing differ by.
const noSlower = 0.97

// Targets are what the fast paths are measured by.
func Targets() []Target {
	both := func(name string, ts ...Target) []Target {
		var all []Target
		for _, way := range []string{"-up", "-down"} {
			for _, t := range ts {
				t.Work = name + way
				all = append(all, t)
			}
		}
		return all
	}
	return slices.Concat(
		both("bulk-1",
			Target{Metric: Rate, Yardstick: HAProxy, AtLeast: 1.05, Aim: 1.2},
			Target{Metric: ProxyCPU, Yardstick: HAProxy, AtLeast: 0.9, Aim: 0.8}),
		both("bulk-8",
			Target{Metric: Rate, Yardstick: HAProxy, AtLeast: 1.05, Aim: 1.15},
			Target{Metric: ProxyCPU, Yardstick: HAProxy, AtLeast: 0.95, Aim: 0.8}),
		[]Target{
			{Work: "http-100", Metric: Rate, Yardstick: HAProxy, AtLeast: 1.15, Aim: 1.25},
			{Work: "http-100", Metric: P99, Yardstick: HAProxy, AtLeast: 1},
			{Work: "http-1", Metric: P50, Yardstick: HAProxy, AtLeast: 1, Aim: 1.05, AimYardstick: Direct},
			{Work: "crr-50", Metric: Rate, Yardstick: HAProxy, AtLeast: 1.1, Aim: 1.15},
			{Work: "crr-50", Metric: ProxyCPU, Yardstick: HAProxy, AtLeast: 0.9, Aim: 0.85},
			{Work: "udp-1", Metric: Rate, Yardstick: SingBox, AtLeast: 1.2, Aim: 0.8, AimYardstick: Direct},
			{Work: "udp-16", Metric: Rate, Yardstick: SingBox, AtLeast: 1.8, Aim: 2.5},
			{Work: "udp-16", Metric: ProxyCPU, Yardstick: SingBox, AtLeast: 0.45, Aim: 0.4},
			{Work: "udp-16-gso", Metric: Rate, Yardstick: SingBox, AtLeast: 20, Aim: 0.5, AimYardstick: Direct},
			{Work: "udp-new", Metric: Rate, Yardstick: SingBox, AtLeast: 3, Aim: 4},
			{Work: "udp-new", Metric: RSS, Yardstick: SingBox, AtLeast: 0.1},
			{Work: "idle-5000", Metric: RSS, Yardstick: HAProxy, AtLeast: 0.3},
			{Work: "reverse-crr-50", Metric: Rate, Yardstick: ReverseHAProxy, AtLeast: 1.1},
			{Work: "reverse-crr-50", Metric: ProxyCPU, Yardstick: ReverseHAProxy, AtLeast: 0.85},
			{Work: "reverse-http-100", Metric: Rate, Yardstick: Gateway, AtLeast: noSlower},
			{Work: "source-udp-1", Metric: Rate, Yardstick: Gateway, AtLeast: noSlower},
			{Work: "source-udp-16", Metric: Rate, Yardstick: Gateway, AtLeast: noSlower},
			{Work: "source-udp-16-gso", Metric: Rate, Yardstick: Gateway, AtLeast: noSlower},
			{Work: "source-udp-new", Metric: Rate, Yardstick: Gateway, AtLeast: noSlower},
			{Work: "socks-bulk", Metric: Rate, Yardstick: Relayed, AtLeast: 0.95},
			{Work: "socks-bulk", Metric: ProxyCPU, Yardstick: Relayed, AtLeast: 1.05},
			{Work: "socks-crr-50", Metric: Rate, Yardstick: SocksSingBox, AtLeast: 2},
			{Work: "socks-crr-50", Metric: ProxyCPU, Yardstick: SocksSingBox, AtLeast: 0.5},
			{Work: "socks-udp-16", Metric: Rate, Yardstick: SocksSingBox, AtLeast: 3},
			{Work: "kernel-bulk", Metric: Rate, Yardstick: Plain, AtLeast: 0.98},
			{Work: "kernel-crr-50", Metric: Rate, Yardstick: Plain, AtLeast: 0.98},
			{Work: "kernel-udp-16", Metric: Rate, Yardstick: Plain, AtLeast: 0.98},
		})
}

// judge holds every sluice against every target of a work that was measured.
func (r *Result) judge(targets []Target) []Verdict {
	var all []Verdict
	for _, p := range r.Peers {
		if p.Kind != "sluice" || p.LeftOut != "" {
			continue
		}
		for _, t := range targets {
			if w := r.Work(t.Work); w != nil && w.Row(p.Name) != nil && !isYardstick(p.Name) {
				all = append(all, w.judge(t, p.Name))
			}
		}
	}
	return all
}

// isYardstick tells sluices apart that others are held against.
func isYardstick(peer string) bool {
	return strings.HasSuffix(peer, gatewaySource) || strings.HasSuffix(peer, relaySuffix)
}

func (w *WorkResult) judge(t Target, peer string) Verdict {
	v := Verdict{Target: t, Peer: peer, Verdict: Unknown}
	var known, aimKnown bool
	yardstick := t.Yardstick
	switch yardstick {
	case Gateway:
		name, _, _ := strings.Cut(peer, clientSource)
		yardstick = name + gatewaySource
	case Relayed:
		yardstick = strings.TrimSuffix(peer, socksSuffix) + relaySuffix
	}
	v.Ratio, known = w.ratio(peer, yardstick, t.Metric)
	v.AimRatio, aimKnown = v.Ratio, known
	if t.AimYardstick != "" {
		v.AimRatio, aimKnown = w.ratio(peer, t.AimYardstick, t.Metric)
	}
	switch {
	case !known:
	case !t.reached(v.Ratio, t.AtLeast):
		v.Verdict = Below
	case t.Aim != 0 && aimKnown && t.reached(v.AimRatio, t.Aim):
		v.Verdict = AimReached
	default:
		v.Verdict = Enough
	}
	return v
}

func (w *WorkResult) ratio(peer, base string, m Metric) (float64, bool) {
	p, b := w.Row(peer), w.Row(base)
	if p == nil || b == nil {
		return 0, false
	}
	s, ok := Ratios(p.Samples, b.Samples)[m]
	return s.Median, ok
}

func (t Target) reached(ratio, want float64) bool {
	if t.Metric == Rate {
		return ratio >= want
	}
	return ratio <= want
}
