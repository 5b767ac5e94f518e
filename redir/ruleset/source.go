package ruleset

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// mostVersion is the newest version of the form that sing-box documents. What
// versions differ in, is keys.
const mostVersion = 5

// source reads sing-box's JSON token by token. One goroutine owns it.
type source struct {
	name   string
	tokens *json.Decoder
	lines  *lines
}

func parseSource(name string, in *bufio.Reader) (*File, error) {
	l := &lines{in: in}
	s := &source{name: name, tokens: json.NewDecoder(l), lines: l}
	s.tokens.UseNumber()
	f := &File{}
	versioned := false
	err := s.object("", func(key string) (err error) {
		switch key {
		case "version":
			versioned = true
			err = s.version()
		case "rules":
			f.Rules, err = s.rules(key, 0)
		default:
			err = s.errorf("", "unknown key %q: want version and rules", key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if !versioned {
		return nil, s.errorf("", "has no version: want one from 1 to %d", mostVersion)
	}
	if _, err := s.tokens.Token(); !errors.Is(err, io.EOF) {
		return nil, s.errorf("", "more text after the end of the rules")
	}
	return f, nil
}

func (s *source) version() error {
	token, err := s.token("version")
	if err != nil {
		return err
	}
	number, _ := token.(json.Number)
	if v, err := strconv.Atoi(number.String()); err != nil || v < 1 || v > mostVersion {
		return s.errorf("version", "want one from 1 to %d, not %s", mostVersion, describe(token))
	}
	return nil
}

// mostDepth bounds how often a rule may be made of rules.
const mostDepth = 16

// rules reads a list of them; depth is that of the rule that they are of.
func (s *source) rules(path string, depth int) (rules []Rule, err error) {
	if depth > mostDepth {
		return nil, s.errorf(path, "rules within rules, more than %d deep", mostDepth)
	}
	token, err := s.token(path)
	if err != nil {
		return nil, err
	}
	if token != json.Delim('[') {
		return nil, s.errorf(path, "want a list of rules, not %s", describe(token))
	}
	for s.tokens.More() {
		r := ruleReader{source: s, path: path + "[" + strconv.Itoa(len(rules)) + "]", depth: depth}
		rule, err := r.read()
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	_, err = s.token(path)
	return rules, err
}

// object reads one, with a call of value for the value of each key.
func (s *source) object(path string, value func(key string) error) error {
	token, err := s.token(path)
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return s.errorf(path, "want an object, not %s", describe(token))
	}
	seen := map[string]bool{}
	for s.tokens.More() {
		token, err := s.token(path)
		if err != nil {
			return err
		}
		key, _ := token.(string) // of an object, it can be nothing else
		if seen[key] {
			return s.errorf(path, "key %q comes twice in one object", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	_, err = s.token(path)
	return err
}

// token is the next one. What it says is valid JSON as far as it goes.
func (s *source) token(path string) (json.Token, error) {
	token, err := s.tokens.Token()
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return token, nil
	case errors.As(err, &syntax):
		return nil, s.errorf(path, "%v; JSON has no comments, and no comma after the last element", err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, s.errorf(path, "the file ends too early")
	}
	return nil, fmt.Errorf("rule set: %w", err)
}

// errorf is an Error at the token that was read last.
func (s *source) errorf(path, format string, args ...any) error {
	return &Error{s.name, s.lines.at(s.tokens.InputOffset()), path, fmt.Sprintf(format, args...)}
}

// describe is a token for "want ..., not ...".
func describe(token json.Token) string {
	switch token := token.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("%.60q", token)
	case json.Delim:
		if token == '[' {
			return "a list"
		}
		return "an object"
	}
	return fmt.Sprintf("%.60v", token)
}
