package ruleset

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// ruleReader reads one rule.
type ruleReader struct {
	*source
	path    string
	depth   int // how many rules it is within
	builder Builder
	plain   string // a key that only plain rules have; empty: none came
	logical string // a key that only logical rules have
	kind    string
	rule    Rule
}

func (r *ruleReader) read() (Rule, error) {
	if err := r.object(r.path, r.value); err != nil {
		return Rule{}, err
	}
	switch logical := r.kind == "logical"; {
	case logical && r.plain != "":
		return Rule{}, r.errorf(r.path, "%s in a logical rule: want mode and rules there, and %s in one of these", r.plain, r.plain)
	case logical && r.rule.Mode == Plain:
		return Rule{}, r.errorf(r.path, `a logical rule without mode: want "and" or "or"`)
	case logical && len(r.rule.Rules) == 0:
		return Rule{}, r.errorf(r.path, "a logical rule without rules")
	case logical:
		return r.rule, nil
	case r.logical != "":
		return Rule{}, r.errorf(r.path, `%s in a plain rule: want "type": "logical" beside it`, r.logical)
	}
	r.rule.Conditions = r.builder.Conditions()
	if r.rule.Conditions.isEmpty() {
		return Rule{}, r.errorf(r.path, "a rule without conditions")
	}
	return r.rule, nil
}

func (r *ruleReader) value(key string) (err error) {
	path := r.path + "." + key
	switch key {
	case "type":
		r.kind, err = r.oneOf(path, "default", "logical")
		return err
	case "invert":
		r.rule.Invert, err = r.boolean(path)
		return err
	case "mode":
		r.logical = key
		mode, err := r.oneOf(path, "and", "or")
		r.rule.Mode = map[string]Mode{"and": And, "or": Or}[mode]
		return err
	case "rules":
		r.logical = key
		r.rule.Rules, err = r.rules(path, r.depth+1)
		return err
	}
	r.plain = key
	add := r.adder(key)
	if add == nil {
		return r.errorf(r.path, "unknown key %q: want %s", key, keys)
	}
	return r.each(path, add)
}

// keys are those of rules, for people.
const keys = "domain, domain_suffix, domain_keyword, ip_cidr, source_ip_cidr, port, port_range, source_port, source_port_range, network, invert, type, mode or rules"

// adder takes in an element of a key's value; nil: there is no such key.
func (r *ruleReader) adder(key string) func(json.Token) error {
	b := &r.builder
	switch key {
	case "network":
		return ofText(b.AddNetwork)
	case "domain":
		return ofText(b.AddName)
	case "domain_suffix":
		return ofText(b.AddSuffix)
	case "domain_keyword":
		return ofText(b.AddKeyword)
	case "ip_cidr":
		return ofText(b.AddDest)
	case "source_ip_cidr":
		return ofText(b.AddSource)
	case "port":
		return ofPort(b.AddDestPorts)
	case "source_port":
		return ofPort(b.AddSourcePorts)
	case "port_range":
		return ofPortRange(b.AddDestPorts)
	case "source_port_range":
		return ofPortRange(b.AddSourcePorts)
	}
	return nil
}

func ofText(add func(string) error) func(json.Token) error {
	return func(token json.Token) error {
		value, ok := token.(string)
		if !ok {
			return fmt.Errorf("want a string, or a list of them, not %s", describe(token))
		}
		return add(value)
	}
}

func ofPort(add func(PortRange)) func(json.Token) error {
	return func(token json.Token) error {
		number, _ := token.(json.Number)
		port, err := strconv.ParseUint(number.String(), 10, 16)
		if err != nil || port == 0 {
			return fmt.Errorf("want a number from 1 to 65535, or a list of them, not %s", describe(token))
		}
		add(PortRange{uint16(port), uint16(port)})
		return nil
	}
}

func ofPortRange(add func(PortRange)) func(json.Token) error {
	return ofText(func(value string) error {
		ports, err := ParsePortRange(value)
		if err == nil {
			add(ports)
		}
		return err
	})
}

// each reads a value or a list of them.
func (s *source) each(path string, add func(json.Token) error) error {
	token, err := s.token(path)
	if err != nil {
		return err
	}
	if token != json.Delim('[') {
		if err := add(token); err != nil {
			return s.errorf(path, "%v", err)
		}
		return nil
	}
	for i := 0; s.tokens.More(); i++ {
		token, err := s.token(path)
		if err != nil {
			return err
		}
		if err := add(token); err != nil {
			return s.errorf(path+"["+strconv.Itoa(i)+"]", "%v", err)
		}
	}
	_, err = s.token(path)
	return err
}

func (s *source) boolean(path string) (bool, error) {
	token, err := s.token(path)
	if err != nil {
		return false, err
	}
	value, ok := token.(bool)
	if !ok {
		return false, s.errorf(path, "want true or false, not %s", describe(token))
	}
	return value, nil
}

// oneOf reads one of two words.
func (s *source) oneOf(path, a, b string) (string, error) {
	token, err := s.token(path)
	if err != nil {
		return "", err
	}
	if token != a && token != b {
		return "", s.errorf(path, "want %q or %q, not %s", a, b, describe(token))
	}
	return token.(string), nil
}
