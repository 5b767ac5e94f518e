package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"sluice/redir"
	"sluice/redir/outbound"
	"sluice/redir/route"
)

// explained is what is said of a flow.
type explained struct {
	route.Explanation
	flow     *route.Flow
	options  *redir.Options
	nameless int // the rule, where the flow turns out to have no name
}

func (e *explained) write(w io.Writer) error {
	var b strings.Builder
	f := e.flow
	fmt.Fprintf(&b, "%s %v -> %v", f.Network, f.Client, f.Dest)
	if f.Name != "" {
		fmt.Fprintf(&b, " (%s)", f.Name)
	}
	fmt.Fprintf(&b, ", inbound %s\n", f.Inbound)
	for _, s := range e.Steps {
		fmt.Fprintf(&b, "%s: %s: %s\n", s.Name, s.Answer, s.Why)
	}
	if e.NeedsName {
		fmt.Fprintf(&b, "=> the name in the flow's first bytes decides, which --domain says; without one it is %s\n", e.ruleName(e.nameless))
		for _, rule := range e.possible() {
			fmt.Fprintf(&b, "%s: %s\n", e.ruleName(rule), e.way(rule))
		}
	} else {
		fmt.Fprintf(&b, "=> %s: %s\n", e.ruleName(e.Rule), e.way(e.Rule))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// possible are the rules of which one decides when the name is known.
func (e *explained) possible() (rules []int) {
	for _, s := range e.Steps {
		switch s.Answer {
		case "unknown":
			rules = append(rules, s.Rule)
		case "yes":
			return append(rules, s.Rule)
		}
	}
	return append(rules, route.Final)
}

func (e *explained) ruleName(rule int) string {
	if rule == route.Final {
		return "route.final"
	}
	return e.options.Route.Name(rule)
}

// way says where flows go that meet a rule.
func (e *explained) way(rule int) string {
	tag, at := e.options.Route.Final, ""
	if rule != route.Final {
		r := &e.options.Route.Rules[rule]
		tag = cmp.Or(r.Outbound, tag)
		if r.Port != 0 {
			at = fmt.Sprintf("at port %d, by ", r.Port)
		}
	}
	outs := outbound.Implied(e.options.Outbounds, &e.options.Route)
	if tag == "" && len(outs) == 0 {
		return at + "direct"
	}
	if tag == "" {
		tag = outs[0].Tag
	}
	return at + e.outbound(outs, tag)
}

// outbound describes one, and what takes its place where it cannot be reached.
func (e *explained) outbound(outs []outbound.Spec, tag string) string {
	i := slices.IndexFunc(outs, func(o outbound.Spec) bool { return o.Tag == tag })
	if i < 0 {
		return fmt.Sprintf("outbound %q", tag)
	}
	switch tag {
	case route.Reset:
		return "rejected: refused at once"
	case route.Drop:
		return "rejected: never answered"
	}
	o := &outs[i]
	text := fmt.Sprintf("outbound %s", tag)
	if tag != o.Kind.String() {
		text += " (" + o.String() + ")"
	}
	switch {
	case o.Kind == outbound.Block && o.Silent:
		text += ", which does not answer"
	case o.Kind == outbound.Block:
		text += ", which refuses"
	case o.Kind == outbound.Forward:
		text += ", which is the kernel's: with --install-rules sluice does not see such flows"
	case o.Kind == outbound.Group:
		text += ": the fastest of " + strings.Join(o.Members, ", ")
	case o.Kind == outbound.HTTP && e.flow.Network == route.UDP && o.Fallback == "":
		text += ", which carries no UDP and refuses it"
	case o.Kind == outbound.HTTP && e.flow.Network == route.UDP:
		text += ", which carries no UDP"
	}
	if o.Fallback != "" {
		text += "; else " + e.outbound(outs, o.Fallback)
	}
	return text
}

// writeJSON writes one object.
func (e *explained) writeJSON(w io.Writer) error {
	type step struct {
		Rule   string `json:"rule"`
		Answer string `json:"answer"`
		Why    string `json:"why"`
	}
	object := struct {
		Network   string `json:"network"`
		Client    string `json:"client"`
		Dest      string `json:"dest"`
		Domain    string `json:"domain,omitempty"`
		Inbound   string `json:"inbound"`
		Steps     []step `json:"steps"`
		NeedsName bool   `json:"needs_name"`
		Rule      string `json:"rule,omitempty"`
		Way       string `json:"way,omitempty"`
	}{
		Network: e.flow.Network.String(), Client: e.flow.Client.String(), Dest: e.flow.Dest.String(), Domain: e.flow.Name,
		Inbound: e.flow.Inbound, Steps: []step{}, NeedsName: e.NeedsName,
	}
	for _, s := range e.Steps {
		object.Steps = append(object.Steps, step{s.Name, s.Answer, s.Why})
	}
	if !e.NeedsName {
		object.Rule, object.Way = e.ruleName(e.Rule), e.way(e.Rule)
	}
	return writeJSON(w, object)
}
