package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/proxyproto"
	"sluice/redir/route"
	"sluice/redir/source"
	"sluice/redir/value"
)

// Config is all that decides how sluice runs, wherever each part of it came
// from.
type Config struct {
	Inbounds  []inbound.Spec
	Outbounds []outbound.Spec
	Route     route.Spec
	Settings  []Setting // those of one object stand together
}

// Setting is a key and its value, as the texts of File.Setting. Without a text
// it is not set, or an empty list.
type Setting struct {
	Key
	Texts []string
}

// Print is the file that gives this Config again.
func (c Config) Print() []byte {
	var b bytes.Buffer
	b.WriteString("{\n  \"inbounds\": [")
	for i, in := range c.Inbounds {
		fmt.Fprintf(&b, "%s\n    %s", separator(i == 0), inboundJSON(in))
	}
	b.WriteString("\n  ]")
	for i := range c.Outbounds {
		if i == 0 {
			b.WriteString(",\n  \"outbounds\": [")
		}
		fmt.Fprintf(&b, "%s\n    %s", separator(i == 0), outboundJSON(&c.Outbounds[i]))
	}
	if len(c.Outbounds) > 0 {
		b.WriteString("\n  ]")
	}
	printRoute(&b, &c.Route)
	object := ""
	for _, s := range c.Settings {
		if !s.List && (len(s.Texts) == 0 || s.Texts[0] == "") {
			continue
		}
		first := s.Object != object
		if first && object != "" {
			b.WriteString("\n  }")
		}
		if first && s.Object != "" {
			fmt.Fprintf(&b, ",\n  %q: {", s.Object)
		}
		object = s.Object
		indent := strings.Repeat("  ", 1+min(1, len(object)))
		fmt.Fprintf(&b, "%s\n%s%q: %s", separator(first && object != ""), indent, s.Name, s.json())
	}
	if object != "" {
		b.WriteString("\n  }")
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

func separator(first bool) string {
	if first {
		return ""
	}
	return ","
}

// json is the value in JSON.
func (s Setting) json() string {
	if !s.List {
		return s.element(s.Texts[0])
	}
	var elements []string
	for _, text := range s.Texts {
		elements = append(elements, s.element(text))
	}
	return "[" + strings.Join(elements, ", ") + "]"
}

func (s Setting) element(text string) string {
	if s.Kind == Bool || s.Kind == Integer {
		return text
	}
	return quote(text)
}

func inboundJSON(in inbound.Spec) string {
	fields := []string{
		`"type": ` + quote(in.Kind.String()), `"tag": ` + quote(in.Tag),
		`"listen": ` + quote(in.Listen.Addr().String()),
		fmt.Sprintf(`"listen_port": %d`, in.Listen.Port()),
		`"network": ["` + strings.Join(networks(in), `", "`) + `"]`,
	}
	if in.Kind == inbound.Direct {
		fields = append(fields, `"override_address": `+quote(in.Dest.Host), fmt.Sprintf(`"override_port": %d`, in.Dest.Port))
	}
	if in.UDPTimeout != 0 {
		fields = append(fields, `"udp_timeout": `+quote(value.DurationText(in.UDPTimeout)))
	}
	if in.UDPQueryTimeout != 0 {
		fields = append(fields, `"udp_query_timeout": `+quote(value.DurationText(in.UDPQueryTimeout)))
	}
	if in.Ifaces != "" {
		fields = append(fields, `"iface": [`+quotedList(in.Ifaces)+`]`)
	}
	if in.Source != (source.Source{}) {
		fields = append(fields, `"source": `+quote(in.Source.String()))
	}
	if in.Mark != 0 {
		fields = append(fields, fmt.Sprintf(`"mark": "%#x"`, in.Mark))
	}
	if in.Device != "" {
		fields = append(fields, `"bind_iface": `+quote(in.Device))
	}
	if in.SendProxy != proxyproto.SendDefault {
		fields = append(fields, `"send_proxy": `+quote(in.SendProxy.String()))
	}
	if in.ClientRate.IsSet() {
		fields = append(fields, `"client_rate": `+quote(in.ClientRate.String()))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

func networks(in inbound.Spec) (names []string) {
	if in.TCP {
		names = append(names, "tcp")
	}
	if in.UDP {
		names = append(names, "udp")
	}
	return names
}

// quotedList is a text with commas as the elements of a JSON list.
func quotedList(text string) string {
	var elements []string
	for element := range strings.SplitSeq(text, ",") {
		elements = append(elements, quote(element))
	}
	return strings.Join(elements, ", ")
}

// quote is the text as a JSON string.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string can always be encoded
	return strings.TrimSuffix(b.String(), "\n")
}

// Changes says what is different in next, a phrase for each difference.
func (c Config) Changes(next Config) (phrases []string) {
	for _, in := range c.Inbounds {
		if !slices.Contains(next.Inbounds, in) {
			phrases = append(phrases, "closed "+describe(in))
		}
	}
	for _, in := range next.Inbounds {
		if !slices.Contains(c.Inbounds, in) {
			phrases = append(phrases, "opened "+describe(in))
		}
	}
	phrases = append(phrases, outboundChanges(c.Outbounds, next.Outbounds)...)
	phrases = append(phrases, routeChanges(&c.Route, &next.Route)...)
	for i, now := range next.Settings {
		if before := c.Settings[i]; !slices.Equal(before.Texts, now.Texts) {
			phrases = append(phrases, fmt.Sprintf("%s %s -> %s", now.Path(), before.brief(), now.brief()))
		}
	}
	return phrases
}

// describe is the inbound in a line for people.
func describe(in inbound.Spec) string {
	text := fmt.Sprintf("%s: %s %s", in.Tag, &in, strings.Join(networks(in), ","))
	if in.UDPTimeout != 0 {
		text += " udp_timeout " + value.DurationText(in.UDPTimeout)
	}
	if in.UDPQueryTimeout != 0 {
		text += " udp_query_timeout " + value.DurationText(in.UDPQueryTimeout)
	}
	if in.Ifaces != "" {
		text += " iface " + in.Ifaces
	}
	if in.Source != (source.Source{}) {
		text += " source " + in.Source.String()
	}
	if in.Mark != 0 {
		text += fmt.Sprintf(" mark %#x", in.Mark)
	}
	if in.Device != "" {
		text += " bind_iface " + in.Device
	}
	if in.SendProxy != proxyproto.SendDefault {
		text += " send_proxy " + in.SendProxy.String()
	}
	if in.ClientRate.IsSet() {
		text += " client_rate " + in.ClientRate.String()
	}
	return text
}

// brief is the value in a line for people; long lists only by their length.
func (s Setting) brief() string {
	const few = 5
	switch {
	case len(s.Texts) == 0:
		return "none"
	case len(s.Texts) > few:
		return fmt.Sprintf("%d entries", len(s.Texts))
	}
	return strings.Join(s.Texts, ",")
}
