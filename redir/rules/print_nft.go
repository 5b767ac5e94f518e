package rules

import (
	"fmt"
	"strings"
)

// nft writes the table as text for nft -f. Loading it twice leaves one table:
// the empty declaration makes the delete succeed, and the file is one
// transaction.
func (t table) nft() string { return t.text(set.listed) }

// outline is that without the elements of constant sets, of which it has a digest.
func (t table) outline() string { return t.text(set.digest) }

func (t table) text(elements func(set) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s\ndelete table inet %s\ntable inet %s {\n", TableName, TableName, TableName)
	for _, name := range t.counters {
		fmt.Fprintf(&b, "\tcounter %s { }\n", name)
	}
	for _, s := range t.sets {
		b.WriteString(s.nft(elements))
	}
	for _, c := range t.chains {
		b.WriteString(c.nft())
	}
	b.WriteString("}\n")
	return b.String()
}

func (s set) nft(elements func(set) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\tset %s {\n\t\ttype %s\n", s.name, s.kind)
	switch {
	case s.spans.size > 0:
		b.WriteString("\t\tflags constant, interval\n")
	case s.interval:
		b.WriteString("\t\tflags interval\n")
	}
	if s.live != 0 {
		fmt.Fprintf(&b, "\t\tsize %d\n\t\tflags dynamic, timeout\n\t\ttimeout %v\n", s.most, s.live)
	}
	b.WriteString(elements(s) + "\t}\n")
	return b.String()
}

// listed are the elements.
func (s set) listed() string {
	var texts []string
	for _, e := range s.elements {
		texts = append(texts, e.text)
	}
	for i := range s.spans.Len() {
		texts = append(texts, s.spans.text(i))
	}
	if len(texts) == 0 {
		return ""
	}
	return fmt.Sprintf("\t\telements = { %s }\n", strings.Join(texts, ", "))
}

func (s set) digest() string {
	if s.sum != "" {
		return fmt.Sprintf("\t\tsum %s\n", s.sum)
	}
	return s.listed()
}

func (c chain) nft() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\tchain %s {\n", c.name)
	if c.hook != "" {
		fmt.Fprintf(&b, "\t\ttype %s hook %s priority %d; policy accept;\n", c.kind, c.hook, c.priority)
	}
	for _, rule := range c.rules {
		texts := make([]string, len(rule))
		for i, t := range rule {
			texts[i] = t.nft()
		}
		fmt.Fprintf(&b, "\t\t%s\n", strings.Join(texts, " "))
	}
	b.WriteString("\t}\n")
	return b.String()
}
