package rules

import (
	"fmt"
	"strings"
)

// nft writes the table as text for nft -f. Loading it twice leaves one table:
// the empty declaration makes the delete succeed, and the file is one
// transaction.
func (t table) nft() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s\ndelete table inet %s\ntable inet %s {\n", TableName, TableName, TableName)
	for _, name := range t.counters {
		fmt.Fprintf(&b, "\tcounter %s { }\n", name)
	}
	for _, s := range t.sets {
		b.WriteString(s.nft())
	}
	for _, c := range t.chains {
		b.WriteString(c.nft())
	}
	b.WriteString("}\n")
	return b.String()
}

func (s set) nft() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\tset %s {\n\t\ttype %s\n", s.name, s.kind)
	if s.interval {
		b.WriteString("\t\tflags interval\n")
	}
	if s.live != 0 {
		fmt.Fprintf(&b, "\t\tsize %d\n\t\tflags dynamic, timeout\n\t\ttimeout %v\n", s.most, s.live)
	}
	if len(s.elements) > 0 {
		texts := make([]string, len(s.elements))
		for i, e := range s.elements {
			texts[i] = e.text
		}
		fmt.Fprintf(&b, "\t\telements = { %s }\n", strings.Join(texts, ", "))
	}
	b.WriteString("\t}\n")
	return b.String()
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
