package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// space is what JSON allows between its tokens.
const space = " \t\r\n"

// tree reads the whole document. Syntax is judged first, so that building can
// rely on it.
func (d *document) tree() (node, error) {
	whole := json.NewDecoder(bytes.NewReader(d.text))
	if err := whole.Decode(new(json.RawMessage)); err != nil {
		return node{}, d.syntax(err)
	}
	rest := bytes.TrimLeft(d.text[whole.InputOffset():], space)
	if len(rest) > 0 {
		return node{}, d.misplaced(len(d.text)-len(rest), "more text after the end of the configuration")
	}
	b := builder{document: d, tokens: json.NewDecoder(bytes.NewReader(d.text))}
	b.tokens.UseNumber()
	return b.node()
}

// syntax says in which way the text is not JSON.
func (d *document) syntax(err error) error {
	end := len(bytes.TrimRight(d.text, space))
	if errors.Is(err, io.EOF) {
		return d.errorf(end, "", "the file is empty")
	}
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) { // io.ErrUnexpectedEOF
		return d.errorf(end, "", "the file ends in the middle of a value")
	}
	return d.misplaced(int(syntax.Offset)-1, err.Error()) // Offset counts the bytes read, the bad one too
}

// misplaced is the error about a byte that cannot stand where it stands.
func (d *document) misplaced(at int, problem string) error {
	before := bytes.TrimRight(d.text[:at], space)
	switch bad := d.text[at]; {
	case bad == '/' || bad == '#':
		problem = "the file is plain JSON, which has no comments"
	case (bad == '}' || bad == ']') && bytes.HasSuffix(before, []byte{','}):
		at, problem = len(before)-1, "a comma after the last element"
	}
	return d.errorf(at, "", "%s", problem)
}

// builder makes nodes of valid JSON.
type builder struct {
	*document
	tokens *json.Decoder
}

// next is the next token and its offset. The decoder knows where the token
// before ended; what lies between is space, a comma or a colon.
func (b *builder) next() (json.Token, int, error) {
	offset := int(b.tokens.InputOffset())
	offset += len(b.text[offset:]) - len(bytes.TrimLeft(b.text[offset:], space+",:"))
	token, err := b.tokens.Token()
	if err != nil {
		return nil, 0, b.errorf(offset, "", "%v", err)
	}
	return token, offset, nil
}

func (b *builder) node() (node, error) {
	token, offset, err := b.next()
	if err != nil {
		return node{}, err
	}
	n := node{offset: offset, value: token}
	switch token {
	case json.Delim('['):
		n.value, err = b.list()
	case json.Delim('{'):
		n.value, err = b.object()
	}
	return n, err
}

func (b *builder) list() (list []node, err error) {
	for b.tokens.More() {
		n, err := b.node()
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	_, _, err = b.next()
	return list, err
}

func (b *builder) object() (object members, err error) {
	seen := map[string]bool{}
	for b.tokens.More() {
		token, offset, err := b.next()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string)
		if seen[key] {
			return nil, b.errorf(offset, "", "key %q comes twice in one object", key)
		}
		seen[key] = true
		n, err := b.node()
		if err != nil {
			return nil, err
		}
		object = append(object, member{key, offset, n})
	}
	_, _, err = b.next()
	return object, err
}
